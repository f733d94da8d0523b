# SPDX-License-Identifier: MIT
"""A lamp that reports to a gateway: fogcloud sandbox exec -- python3 -m pytest test_lamp.py   (paho-mqtt, requests)"""
import os
import queue

import paho.mqtt.client as mqtt
import requests

URL = os.environ["FOGCLOUD_BASE_URL"]
API = URL + "/v3/open_api/"


def call(method, path, token=None, **fields):
    headers = {"Authorization": "Bearer " + token} if token else {}
    return requests.request(method, API + path, data=fields, headers=headers).json()


def connect(client_id, login, password):
    versions = getattr(mqtt, "CallbackAPIVersion", None)  # paho-mqtt 2 wants to know
    client = mqtt.Client(versions.VERSION2, client_id) if versions else mqtt.Client(client_id)
    client.username_pw_set(login, password)
    client.connect(os.environ["FOGCLOUD_MQTT_HOST"], int(os.environ["FOGCLOUD_MQTT_PORT"]))
    client.loop_start()
    return client


def test_a_report_reaches_the_gateway():
    key, secret = os.environ["FOGCLOUD_CLIENT_ID"], os.environ["FOGCLOUD_CLIENT_SECRET"]
    token = call("POST", "token/", grant_type="client_credentials", client_id=key, client_secret=secret)["data"]["access_token"]
    mine = call("POST", "mqtt/client/", token, app_id=os.environ["FOGCLOUD_APP_ID"])["data"]
    call("POST", "mqtt/permission/", token, client_id=mine["clientid"], device_id="dev1")
    got, ready = queue.Queue(), queue.Queue()
    gateway = connect(mine["clientid"], mine["loginname"], mine["password"])
    gateway.on_message = lambda client, data, message: got.put((message.topic, message.payload))
    gateway.on_subscribe = lambda *args: ready.put(True)
    gateway.subscribe("d2c/+/status", 1)
    assert ready.get(timeout=10)
    connect("lamp", "dev1", "dev1-secret").publish("d2c/dev1/status", '{"power":"on"}', 1)
    assert got.get(timeout=10) == ("d2c/dev1/status", b'{"power":"on"}')
