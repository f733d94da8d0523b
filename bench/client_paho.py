# SPDX-License-Identifier: MIT
# Debian's python3-paho-mqtt. Arguments and output as in common.h.
import resource
import sys
import time

import paho.mqtt.client as mqtt

mode, port, qos, size, count, window = sys.argv[1], *map(int, sys.argv[2:7])
ca = sys.argv[7] if len(sys.argv) > 7 else None
state = {"seen": 0, "from": 0.0, "cpu": 0.0, "done": False}


def start():
    state["from"], state["cpu"] = time.monotonic(), time.process_time()


def report(client):
    seconds, cpu = time.monotonic() - state["from"], time.process_time() - state["cpu"]
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print('{"count":%d,"seconds":%.6f,"cpu":%.6f,"rss_kb":%d}' % (count, seconds, cpu, rss), flush=True)
    state["done"] = True
    client.disconnect()


def on_message(client, _, message):
    if mode == "recv" and state["seen"] == 0:
        start()
    state["seen"] += 1
    if message.topic == "done" or (mode == "recv" and state["seen"] == count):
        report(client)


def on_connect(client, *_):
    if mode == "recv":
        client.subscribe("bench/#", qos)


client = mqtt.Client("bench")
client.max_inflight_messages_set(window)
client.on_message, client.on_connect = on_message, on_connect
if ca:
    client.tls_set(ca_certs=ca)
client.connect("localhost", port)
if mode == "recv":
    while not state["done"]:
        client.loop(1)
else:
    client.loop_start()
    while not client.is_connected():
        time.sleep(0.01)
    start()
    for _ in range(count):
        client.publish("bench/topic", b"x" * size, qos)
    while not state["done"]:
        time.sleep(0.001)
