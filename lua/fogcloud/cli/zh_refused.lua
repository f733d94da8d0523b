-- SPDX-License-Identifier: MIT

--- What is said of options that are not taken, and of the values that are not, in Chinese; a part of zh.lua.
return {
  ["unknown option '%s'; %s"] = "未知的选项 '%s'；%s",
  ["a password among the arguments can be read by everybody on this machine: set FOGCLOUD_MQTT_PASSWORD, or name a "
    .. "file that holds it by --password-file"] =
    "参数里的密码能被本机的所有人读到：请设置 FOGCLOUD_MQTT_PASSWORD，或用 --password-file 指定存有密码的文件",
  ["TLS by a shared key is not spoken: use certificates, by --cafile and, for the client, --cert and --key"] =
    "不支持共享密钥的 TLS：请使用证书，用 --cafile，客户端用 --cert 和 --key",
  ["engines are not used: give the key as a PEM file by --key"] = "不使用 engine：请用 --key 给出 PEM 文件中的私钥",
  ["the system's routes choose the address: set a route to the broker, as in ip route add HOST src ADDRESS"] =
    "地址由系统的路由选择：请设置到 broker 的路由，例如 ip route add HOST src ADDRESS",
  ["SRV records are not looked up: find them by dig +short SRV _mqtt._tcp.HOST, and give -h HOST -p PORT"] =
    "不查询 SRV 记录：用 dig +short SRV _mqtt._tcp.HOST 查到，再给出 -h HOST -p PORT",
  ["Unix sockets are not spoken: give the broker a listener on 127.0.0.1, or put one before it: socat "
    .. "TCP-LISTEN:1883,bind=127.0.0.1,fork UNIX-CONNECT:PATH"] =
    "不支持 Unix 套接字：让 broker 监听 127.0.0.1，或在它前面放一个：socat TCP-LISTEN:1883,bind=127.0.0.1,fork "
    .. "UNIX-CONNECT:PATH",
  ["certificates are always checked: name their authority by --cafile, and the name that they are for by --server-name"]
    = "证书总是要检查：用 --cafile 指定签发机构，用 --server-name 指定证书所写的主机名",
  ["one file holds the authorities: make it by cat DIR/*.crt > ca.pem, and name it by --cafile"] =
    "证书机构放在一个文件里：用 cat DIR/*.crt > ca.pem 生成，再用 --cafile 指定",
  ["OpenSSL's configuration chooses: CipherString and Ciphersuites in the file that OPENSSL_CONF names"] =
    "由 OpenSSL 的配置决定：OPENSSL_CONF 所指文件中的 CipherString 和 Ciphersuites",
  ["the command talks to the broker of a client that is kept here: choose it by --client NAME, or --credentials FILE"] =
    "这个命令与本机保存的客户端的 broker 通信：用 --client NAME 或 --credentials FILE 选择",
  ["a secret is no argument: login asks for it, or reads --secret-file FILE"] =
    "密钥不能作为参数：login 会询问，或从 --secret-file FILE 读取",
  ["FOGCLOUD_LOG=debug tells more"] = "FOGCLOUD_LOG=debug 会说明更多",
  ["the address of the API is given by --base-url URL"] = "API 的地址用 --base-url URL 给出",
  ["the option is --ca-file FILE"] = "应使用选项 --ca-file FILE",
  ["for programs there is --json"] = "供程序使用的是 --json", ["the option is --color never"] = "应使用选项 --color never",
  ["ids are read from a file by --devices FILE"] = "用 --devices FILE 从文件读取 id",
  ["%s: a number from 0.1 to 100 expected, got '%s'"] = "%s：应为 0.1 到 100 的数，得到 '%s'",
  ["--keyform: only pem is taken, got '%s': engines are not used"] = "--keyform：只接受 pem，得到 '%s'：不使用 engine",
  ["--tls-version: only tlsv1.2 is taken, got '%s': for later versions alone, set MinProtocol in OpenSSL's "
    .. "configuration"] = "--tls-version：只接受 tlsv1.2，得到 '%s'：只用更高的版本时，请在 OpenSSL 的配置里设置 MinProtocol",
  ["--proxy: SOCKS is not spoken: name an HTTP proxy, or put a tunnel before the broker, as in ssh -L "
    .. "1883:BROKER:1883 HOST"] =
    "--proxy：不支持 SOCKS：请指定 HTTP 代理，或在 broker 前面放一个隧道，例如 ssh -L 1883:BROKER:1883 HOST",
  ["--proxy: a password among the arguments can be read by everybody on this machine: set FOGCLOUD_PROXY_PASSWORD"] =
    "--proxy：参数里的密码能被本机的所有人读到：请设置 FOGCLOUD_PROXY_PASSWORD",
  ["--proxy: http://[USER@]HOST:PORT expected"] = "--proxy：应为 http://[USER@]HOST:PORT",
  ["acknowledgements carry no properties: leave it out"] = "确认报文不带属性：请去掉它",
  ["an exchange of AUTH needs a program: the option authentication of fogcloud.connect"] =
    "AUTH 交换需要写程序：fogcloud.connect 的选项 authentication",
  ["UNSUBSCRIBE carries no properties: leave it out"] = "UNSUBSCRIBE 不带属性：请去掉它",
  ["aliases are chosen by themselves, where the broker takes them: leave it out"] =
    "broker 支持时主题别名会自动选择：请去掉它",
}
