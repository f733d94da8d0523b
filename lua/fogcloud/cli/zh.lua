-- SPDX-License-Identifier: MIT

--- The command line's own words in Chinese: help, notes, complaints, what doctor and test tell. A text with %s or %d is
--- a pattern of what is said; a spec checks that no text is missing, and that each has the same marks.
local texts = {
  -- argparse's
  ["Usage: "] = "用法：", ["Arguments:"] = "参数：", ["Options:"] = "选项：", ["Commands:"] = "命令：",
  ["Other options:"] = "其他选项：", ["Other arguments:"] = "其他参数：", ["Other commands:"] = "其他命令：",
  ["Examples:"] = "示例：", ["(default: %s)"] = "（默认：%s）",
  ["The options of `fogcloud --help` may follow every command, too."] =
    "`fogcloud --help` 中的选项也可以放在任何命令之后。",
  ["unknown option '%s'"] = "未知的选项 '%s'", ["too many arguments"] = "参数太多", ["a command is required"] = "缺少命令",
  ["unknown command '%s'"] = "未知的命令 '%s'", ["argument '%s' is required"] = "缺少参数 '%s'",
  ["option '%s' requires an argument"] = "选项 '%s' 需要一个值", ["%s; see fogcloud %s--help"] = "%s；见 fogcloud %s--help",
  ["interrupted"] = "已中断",

  -- Complaints
  ["%d clients are kept here: name one with --client or FOGCLOUD_CLIENT, or choose one: fogcloud client use NAME"] =
    "本机保存了 %d 个客户端：用 --client 或 FOGCLOUD_CLIENT 指定一个，或选择一个：fogcloud client use NAME",
  ["%s cannot be used: %s"] = "%s 不能使用：%s", ["%s cannot be written: %s"] = "%s 不能写入：%s",
  ["%s is of another job: %s"] = "%s 属于另一个任务：%s", ["%s: '%s' is no client"] = "%s：'%s' 不是客户端",
  ["%s: '%s' is no object"] = "%s：'%s' 不是对象",
  ["%s: a number, not negative, expected, got '%s'"] = "%s：应为非负数，得到 '%s'",
  ["%s: a whole number from %d to %d expected, got '%s'"] = "%s：应为 %d 到 %d 的整数，得到 '%s'",
  ["%s: seconds expected, more than 0 and at most %d, got '%s'"] = "%s：应为秒数，大于 0，最多 %d，得到 '%s'",
  ["--protocol-version: 5 or 311 expected, got '%s'"] = "--protocol-version：应为 5 或 311，得到 '%s'",
  ["line %d: a quote has no end"] = "第 %d 行：引号没有结束", ["line %d: text behind a quote"] = "第 %d 行：引号后有多余的文字",
  ["no '%%%s' in a format: %s"] = "格式里没有 '%%%s'：%s",
  ["no client '%s' of this cloud is kept here; `fogcloud client list --all` shows those of all"] =
    "本机没有保存这个云的客户端 '%s'；`fogcloud client list --all` 显示全部",
  ["no client of this account is kept here; `fogcloud client create` makes one"] =
    "本机没有保存这个账号的客户端；`fogcloud client create` 会创建一个",
  ["nothing follows the last '%s' of the format"] = "格式中最后的 '%s' 之后没有内容",
  ["the current profile cannot be noted: "] = "不能记下当前的配置档：",
  ["there is no column '%s'; the first line has: %s"] = "没有列 '%s'；第一行有：%s",

  -- The program
  ["FogCloud from the command line."] = "在命令行里使用 FogCloud。", ["show this help"] = "显示本帮助",
  ["versions of all that is used"] = "所用各部分的版本",
  ["the profile to use, default the current one"] = "要使用的配置档，默认是当前的",
  ["where the API is"] = "API 的地址",
  ["PEM file of the authorities to trust instead of the system's"] = "PEM 文件：信任其中的证书机构，代替系统的",
  ["seconds for a call with all its attempts, default 30"] = "一次调用连同所有重试的秒数，默认 30",
  ["let http:// go to other hosts than this one"] = "允许用 http:// 访问本机以外的主机",
  ["for programs: one JSON object a line"] = "供程序使用：每行一个 JSON 对象",
  ["only what was asked for: no headings, notes or progress"] = "只打印结果：没有表头、提示和进度",
  ["auto, always or never"] = "auto、always 或 never",
  ["there is no command '%s'; see fogcloud --help"] = "没有命令 '%s'；见 fogcloud --help",
  ["Show the help of a command"] = "显示一个命令的帮助", ["the command, and its action"] = "命令及其动作",
  ["Show versions of all that is used"] = "显示所用各部分的版本",
  ["Print what lets a shell complete commands and options"] = "打印 shell 补全命令和选项所需的内容",
  ["for bash"] = "用于 bash", ["for zsh"] = "用于 zsh", ["for fish"] = "用于 fish",
  ["For bash: fogcloud completion bash > ~/.local/share/bash-completion/completions/fogcloud"] =
    "用于 bash：fogcloud completion bash > ~/.local/share/bash-completion/completions/fogcloud",

  -- Accounts
  ["Store an account as a profile, 0600, after it was tried"] = "试用一个账号，然后保存为配置档（0600）",
  ["Access Key ID; asked for when it is not given"] = "Access Key ID；不给时会询问",
  ["read the Access Key Secret from a file, - for standard input"] = "从文件读取 Access Key Secret，- 表示标准输入",
  ["the application that client commands use"] = "客户端命令使用的应用", ["store it untried"] = "不试用就保存",
  ["It gets a token, and connects to the broker over TLS where an application is given. Exit code 5 when "
    .. "only the broker did not work.\n\nThe secret is asked for without echo, or taken from --secret-file or "
    .. "FOGCLOUD_CLIENT_SECRET; never from an argument."] =
    "它取一个令牌；给出应用时还会通过 TLS 连接 broker。只有 broker 失败时退出码是 5。\n\n密钥会询问而不回显，"
    .. "或取自 --secret-file 或 FOGCLOUD_CLIENT_SECRET；绝不取自参数。",
  ["The accounts that `login` has stored"] = "`login` 保存的账号",
  ["names, where they are, and which is the current one"] = "名称、地址，以及当前是哪一个",
  ["make one the current one"] = "选为当前的", ["of the profile"] = "配置档的名称",
  ["forget one, with its secret"] = "删除一个，连同密钥",
  ["Print an access token; a kept one while it lasts."] = "打印访问令牌；有效期内用保存的那个。",
  ["Print an access token"] = "打印访问令牌", ["The products of the account"] = "账号的产品",
  ["their ids and names"] = "编号和名称",
  ["%s is missing: %s, or an answer on a terminal"] = "缺少 %s：请给出 %s，或在终端上回答",
  ["MQTT is not tried: no application is given."] = "没有试用 MQTT：没有给出应用。",
  ["The certificate is signed by an authority that this machine does not know."] = "签发证书的机构不为本机所知。",
  ["CA file (PEM), Enter for none"] = "CA 文件（PEM），没有请按回车", ["API URL"] = "API 地址",
  ["Access Key ID"] = "Access Key ID", ["Access Key Secret, not shown"] = "Access Key Secret，不显示",
  ["Application ID, Enter for none"] = "应用 ID，没有请按回车",
  ["Stored as profile '%s' in %s."] = "已保存为配置档 '%s'，位于 %s。",
  ["It is used with --profile %s, or from now on by: fogcloud profile use %s"] =
    "用 --profile %s 使用它，或从现在起使用它：fogcloud profile use %s",
  ["the account works, its broker does not: %s; fogcloud doctor looks closer"] =
    "账号可用，但 broker 不可用：%s；fogcloud doctor 会进一步检查",
  ["There is no profile yet: `fogcloud login` makes one."] = "还没有配置档：`fogcloud login` 会创建一个。",
  ["there is no profile '%s'"] = "没有配置档 '%s'", ["Profile '%s' is used from now on."] = "从现在起使用配置档 '%s'。",
  ["Profile '%s' is gone."] = "配置档 '%s' 已删除。",

  -- Clients and permissions
  ["MQTT clients: make one, list and forget those made here"] = "MQTT 客户端：创建、列出、忘掉在本机创建的",
  ["make a client and keep its credentials, 0600"] = "创建一个客户端并保存其凭据（0600）",
  ["the application, default the profile's"] = "应用，默认是配置档里的", ["print the password too"] = "同时打印密码",
  ["what to call it here, default its client id"] = "在本机的名称，默认是它的 client id",
  ["those made here; the API has no list of its own"] = "在本机创建的；API 没有自己的列表",
  ["of other clouds and accounts too"] = "包括其他云和账号的",
  ["make one the client that commands use when none is named"] = "选为命令默认使用的客户端",
  ["its name or client id"] = "名称或 client id",
  ["drop the credentials kept here; the cloud keeps the client"] = "丢弃保存在本机的凭据；云端的客户端不变",
  ["--app is missing; FOGCLOUD_APP_ID or the profile may say it too"] =
    "缺少 --app；也可以用 FOGCLOUD_APP_ID 或配置档给出",
  ["a client '%s' is kept here already: forget it first, or give another --name"] =
    "本机已保存客户端 '%s'：先忘掉它，或用 --name 给出别的名称",
  ["Its credentials are kept in %s."] = "凭据保存在 %s。",
  ["No client is kept here: `fogcloud client create` makes one."] =
    "本机没有保存客户端：`fogcloud client create` 会创建一个。",
  ["Client '%s' is used from now on."] = "从现在起使用客户端 '%s'。",
  ["'%s' is forgotten here; the cloud still knows it."] = "本机已忘掉 '%s'；云端仍然认得它。",
  ["client '%s' is in use by %s; '%s' is used beside it"] = "客户端 '%s' 正被 %s 使用；改用它旁边的 '%s'",
  ["client '%s' is in use by %s, and can have one session at a time: name another one with --client, or "
    .. "make one: fogcloud client create --name NAME"] =
    "客户端 '%s' 正被 %s 使用，而它同时只能有一个会话：用 --client 指定另一个，或创建一个：fogcloud client create --name NAME",
  ["process %d"] = "进程 %d", ["another process"] = "另一个进程",
  ["Let a client talk to devices, or no longer"] = "允许客户端与设备通信，或不再允许",
  ["let a client hear devices and send to them"] = "允许客户端接收设备的消息并向其发送", ["device ids"] = "设备 id",
  ["take that away from a client"] = "收回客户端的权限",
  ["name or client id, default the only one kept here"] = "名称或 client id，默认是本机保存的唯一一个",
  ["device ids from a file, one a line, - for standard input"] = "从文件读取设备 id，每行一个，- 表示标准输入",
  ["the file is a table with titles (CSV): the ids are in this column"] = "文件是带标题的表格（CSV）：id 在这一列",
  ["write the devices that failed to this file, with the reason (CSV)"] = "把失败的设备连同原因写入这个文件（CSV）",
  ["note in a file what is done, and leave that out the next time"] = "把完成的记入文件，下次跳过它们",
  ["calls in flight at most, default 16, at most 256"] = "同时进行的调用数，默认 16，最多 256",
  ["%s'%s' is no device id: it %s"] = "%s'%s' 不是设备 id：it %s", ["device '%s': the id %s"] = "设备 '%s'：the id %s",
  ["--column is for --devices FILE"] = "--column 要与 --devices FILE 一起使用",
  ["no device: name some, or give --devices FILE"] = "没有设备：请列出一些，或给出 --devices FILE",
  ["Say the same again to go on with the rest."] = "再次执行同样的命令，就会继续处理其余的。",
  ["More failures are counted by their reason, at the end."] = "更多的失败将在最后按原因统计。",

  -- Messages
  ["Print the messages of topics or of a device"] = "打印主题或设备的消息",
  ["topic filters; with --device its channels, default all"] = "主题过滤器；有 --device 时是它的通道，默认全部",
  ["another topic filter"] = "另一个主题过滤器",
  ["what this device sends: d2c/DEVICE/…"] = "这台设备发送的消息：d2c/DEVICE/…", ["0, 1 or 2"] = "0、1 或 2",
  ["0, 1 or 2; default 1, at a broker that you name 0"] = "0、1 或 2；默认 1，对于你指定的 broker 是 0",
  ["%t topic, %p payload, %x payload in hexadecimal, %l its length, %q QoS, %r retained, %j all as JSON, %U "
    .. "and %I the time, @H:@M its parts as strftime has them"] =
    "%t 主题，%p 负载，%x 十六进制负载，%l 长度，%q QoS，%r 是否保留，%j 全部内容的 JSON，%U 和 %I 时间，@H:@M 时间的各部分（同 strftime）",
  ["the topic before the payload"] = "在负载前打印主题", ["no line end after a payload"] = "负载后不换行",
  ["end after so many messages"] = "收到这么多条消息后结束", ["end after so many seconds"] = "这么多秒后结束",
  ["end when the broker has taken the subscriptions"] = "broker 接受订阅后就结束",
  ["not the messages of these topics"] = "不打印这些主题的消息",
  ["take away a subscription of a session that is kept"] = "取消一个被保留的会话的订阅",
  ["not what was retained before"] = "不打印之前保留的消息",
  ["only what was retained before; ends at the first that was not"] = "只打印之前保留的消息；遇到第一条其他消息就结束",
  ["say retained as the publisher did (MQTT 5)"] = "按发布者的设置显示保留标志（MQTT 5）",
  ["take away at the broker what is retained"] = "清除 broker 上保留的消息",
  ["Exit code 1 when it ended before --count messages had come; at a broker that you name, 27."] =
    "未收到 --count 条消息就结束时退出码是 1；对于你指定的 broker 是 27。",
  ["name or client id, default the one of `client use`, or the only one"] =
    "名称或 client id，默认是 `client use` 选择的，或唯一的一个",
  ["a JSON file of what create_client gave, instead"] = "改用含有 create_client 结果的 JSON 文件",
  ["without TLS, at the broker's plain port"] = "不用 TLS，使用 broker 的明文端口",
  ["5 or 311, default 5 where the broker has it"] = "5 或 311，broker 支持时默认 5",
  ["the broker, default localhost"] = "broker 的地址，默认 localhost",
  ["its port, default 1883, or 8883 with TLS"] = "端口，默认 1883，使用 TLS 时 8883",
  ["both, with user and topic: mqtt://USER@HOST:PORT/TOPIC, or mqtts://"] =
    "地址、端口、用户和主题：mqtt://USER@HOST:PORT/TOPIC 或 mqtts://",
  ["the user's name there"] = "那里的用户名",
  ["the password is this file's first line; or set FOGCLOUD_MQTT_PASSWORD"] =
    "密码是这个文件的第一行；也可以设置 FOGCLOUD_MQTT_PASSWORD",
  ["the client id, default one that nobody has"] = "client id，默认是一个没有人用的",
  ["the client id is this and the process's number"] = "client id 由它加上进程号组成",
  ["the client's certificate, PEM"] = "客户端证书，PEM", ["its private key, PEM"] = "私钥，PEM",
  ["pem: the key is a PEM file"] = "pem：私钥是 PEM 文件",
  ["the name in the broker's certificate, where it is not HOST"] = "broker 证书里的名称，与 HOST 不同时使用",
  ["tlsv1.2: the newest version that both sides have, from 1.2 on"] = "tlsv1.2：双方都有的最新版本，从 1.2 起",
  ["an HTTP proxy to connect through: http://[USER@]HOST:PORT"] = "经过的 HTTP 代理：http://[USER@]HOST:PORT",
  ["lines for the JSON of %j and %J"] = "把 %j 和 %J 的 JSON 分行打印",
  ["print so many of a hundred messages, chosen by chance"] = "每一百条消息随机打印这么多条",
  ["the payload is not valid JSON on topic %s"] = "主题 %s 的负载不是有效的 JSON",
  ["the protocol to ask for, where a port has several"] = "要求的协议，用于一个端口有多种协议时",
  ["TLS, with the authorities of the system"] = "使用 TLS，信任系统的证书机构",
  ["seconds between signs of life, default 60"] = "保活间隔的秒数，默认 60",
  ["the broker keeps the session; needs --id"] = "让 broker 保留会话；需要 --id",
  ["for so many seconds, -1 for ever (MQTT 5)"] = "保留这么多秒，-1 表示永远（MQTT 5）",
  ["messages in flight at most"] = "在途消息的最多条数",
  ["a property of MQTT 5: PACKET NAME VALUE"] = "MQTT 5 的属性：PACKET NAME VALUE",
  ["the broker publishes a message here when the link is lost"] = "连接断开时 broker 向这个主题发布一条消息",
  ["its payload"] = "它的负载", ["its QoS"] = "它的 QoS", ["the broker keeps it"] = "broker 保留它",
  ["tell on standard error what goes on"] = "在标准错误上说明进展",
  ["taken for mosquitto's sake: nothing is ever delayed"] = "为兼容 mosquitto 而接受：本来就不会延迟",
  ["What to print"] = "打印什么", ["Which messages"] = "哪些消息", ["What to publish"] = "发布什么",
  ["Options for a client that is kept here"] = "用于本机保存的客户端的选项",
  ["Options for a broker that you name, as mosquitto_pub and mosquitto_sub have them"] =
    "用于你指定的 broker 的选项，与 mosquitto_pub 和 mosquitto_sub 相同",
  ["Options of the session"] = "会话的选项",
  ["Publish a message, or one for each line of standard input"] = "发布一条消息，或为标准输入的每一行发布一条",
  ["the topic; with --device its channel, as in commands"] = "主题；有 --device 时是它的通道，例如 commands",
  ["the payload"] = "负载", ["the topic, or the channel, as an option"] = "以选项给出主题或通道",
  ["the payload as an option"] = "以选项给出负载",
  ["the payload is this file, - for standard input"] = "负载是这个文件，- 表示标准输入",
  ["the payload is all of standard input"] = "负载是全部标准输入",
  ["a message for each line of standard input"] = "标准输入的每一行一条消息",
  ["an empty payload; with --retain it takes away what is retained"] = "空负载；加 --retain 会清除保留的消息",
  ["to this device: c2d/DEVICE/CHANNEL; more than one may be named"] =
    "发给这台设备：c2d/DEVICE/CHANNEL；可以指定多台",
  ["the broker keeps it for those who subscribe later"] = "broker 为以后的订阅者保留它",
  ["publish it so many times"] = "发布这么多次", ["seconds between two times"] = "两次之间的秒数",
  ["Exit code 5 when only some of the messages were acknowledged, or when it was interrupted halfway."] =
    "只有部分消息得到确认，或中途被中断时，退出码是 5。",
  ["Show the live state of devices"] = "显示设备的实时状态",
  ["listening to %s; Ctrl-C ends"] = "正在监听 %s；按 Ctrl-C 结束", ["%d message"] = "%d 条消息",
  ["%d messages"] = "%d 条消息",
  ["%d published, %d acknowledged"] = "发布 %d 条，确认 %d 条", ["connected again"] = "已重新连接",
  ["link lost: "] = "连接断开：",
  ["no topic: give some, or --device DEVICE"] = "没有主题：请给出一些，或给出 --device DEVICE",
  ["no topic: give one, or --topic TOPIC"] = "没有主题：请给出一个，或给出 --topic TOPIC",
  ["one of MESSAGE, --message, --file, --stdin-file, --lines and --null is needed"] =
    "需要 MESSAGE、--message、--file、--stdin-file、--lines 和 --null 之一",
  ["one topic and one message are needed: some were given twice"] = "需要一个主题和一条消息：有的给了两次",
  ["--client and --credentials are for no other broker"] = "--client 和 --credentials 不能用于另外指定的 broker",
  ["--disable-clean-session needs --id: the broker knows the session by it"] =
    "--disable-clean-session 需要 --id：broker 靠它认出会话",
  ["--id and --id-prefix are one or the other"] = "--id 和 --id-prefix 只能用一个",
  ["--property and --session-expiry are of MQTT 5: without --protocol-version 311"] =
    "--property 和 --session-expiry 属于 MQTT 5：不要加 --protocol-version 311",
  ["--property: %s has none of these here: '%s'"] = "--property：%s 没有这个属性：'%s'",
  ["--property: %s: a whole number expected, got '%s'"] = "--property：%s：应为整数，得到 '%s'",
  ["--property: no '%s' here; connect, publish, subscribe, disconnect and will have properties"] =
    "--property：没有 '%s'；connect、publish、subscribe、disconnect 和 will 才有属性",
  ["--retain-as-published needs MQTT 5, which this broker does not have"] =
    "--retain-as-published 需要 MQTT 5，而这个 broker 不支持",
  ["--url: a password among the arguments can be read by everybody on this machine: set FOGCLOUD_MQTT_PASSWORD, or "
    .. "use --password-file"] = "--url：参数里的密码能被本机的所有人读到：请设置 FOGCLOUD_MQTT_PASSWORD，或使用 --password-file",
  ["--url: mqtt://USER@HOST:PORT/TOPIC or mqtts:// expected"] = "--url：应为 mqtt://USER@HOST:PORT/TOPIC 或 mqtts://",
  ["--url: no topic in it, and no --topic"] = "--url：其中没有主题，也没有 --topic",
  ["--will-topic is missing"] = "缺少 --will-topic",

  -- Measuring and playing
  ["Measure calls, publishing and receiving"] = "测量调用、发布和接收",
  ["list the products again and again"] = "反复列出产品", ["calls"] = "调用次数",
  ["calls in flight, at most 1000"] = "同时进行的调用数，最多 1000",
  ["publish stamped messages as fast as they are taken; with QoS 1 and 2, the time to their acknowledgement"] =
    "以最快速度发布带时间的消息；QoS 为 1 和 2 时测量到确认的时间",
  ["the topic"] = "主题", ["messages"] = "消息条数", ["bytes of a payload, 40 to 16 MiB"] = "负载的字节数，40 到 16 MiB",
  ["messages a second, 0 for as many as possible"] = "每秒消息数，0 表示尽可能多",
  ["count what comes; of messages of `bench publish` the time they took, too"] =
    "统计收到的消息；对 `bench publish` 的消息还测量所用时间",
  ["topic filter"] = "主题过滤器", ["end after so many messages, 0 for without end"] = "收到这么多条后结束，0 表示不结束",
  ["Exit code 5 when some of the calls failed."] = "部分调用失败时退出码是 5。",
  ["Simulate devices by a scenario, a Lua file"] = "按场景（一个 Lua 文件）模拟设备",
  ["a Lua file; see docs/cli.md"] = "一个 Lua 文件；见 docs/cli.md", ["how many"] = "多少台",
  ["A scenario returns { run = function(device) ... end, credentials = function(i) ... end }. Without credentials "
    .. "the devices are made at the sandbox that --base-url, FOGCLOUD_BASE_URL or the profile names. Exit code 5 when "
    .. "some of the devices failed."] =
    "场景返回 { run = function(device) ... end, credentials = function(i) ... end }。没有 credentials 时，设备在 --base-url、"
    .. "FOGCLOUD_BASE_URL 或配置档指定的沙箱里创建。部分设备失败时退出码是 5。",
  ["the scenario has no credentials(i), and no sandbox answers: "] = "场景没有 credentials(i)，也没有沙箱应答：",
  ["device %s: %s"] = "设备 %s：%s", [": a table with a function 'run' expected"] = "：应为含有函数 'run' 的表",

  -- Journals
  ["The journal of a session that is not running: list, remove, send again"] =
    "一个没有在运行的会话的日志文件：列出、删除、重新发送",
  ["the session's journal"] = "会话的日志文件", ["show what is in the messages, too"] = "同时显示消息的内容",
  ["so many messages at most; default 1000, with --json all"] = "最多这么多条消息；默认 1000，使用 --json 时全部",
  ["remove the message with this number; may be repeated"] = "删除这个编号的消息；可以重复",
  ["queue again what was set aside; may be repeated"] = "把搁置的消息重新排队；可以重复",
  ["Nothing waits in it."] = "其中没有等待的消息。", ["%.0f wait, %.0f are set aside%s."] = "%.0f 条等待，%.0f 条被搁置%s。",

  -- The sandbox
  ["Start a FogCloud of your own on this machine"] = "在本机启动一个你自己的 FogCloud",
  ["Start a FogCloud of your own on this machine; prints what to export."] =
    "在本机启动一个你自己的 FogCloud；打印要 export 的内容。",
  ["where to listen, default 127.0.0.1"] = "监听的地址，默认 127.0.0.1",
  ["what mosquitto logs: a log_type of its own, as in mosquitto.conf"] = "mosquitto 记录什么：mosquitto.conf 里的 log_type",
  ["life of the certificates; negative: expired so long ago"] = "证书的有效天数；负数表示已过期多久",
  ["make the certificate for this host name instead of localhost"] = "证书用这个主机名，代替 localhost",
  ["the TLS port demands a client certificate (client.pem, client.key beside ca.pem)"] =
    "TLS 端口要求客户端证书（ca.pem 旁边的 client.pem、client.key）",
  ["keep everything in this folder"] = "把一切保存在这个目录",
  ["so many devices more: device1 with the password device1-secret, and so on"] =
    "增加这么多设备：device1，密码 device1-secret，依此类推",
  ["a relay in front of the broker, so that MQTT can be made to fail"] = "在 broker 前加一个中继，可以让 MQTT 出错",
  ["the broker's plain port, default a free one"] = "broker 的明文端口，默认是空闲的",
  ["the broker keeps sessions and messages while it is stopped; not when it is killed"] =
    "broker 停止时保留会话和消息；被杀死时不保留",
  ["HTTP port, default a free one"] = "HTTP 端口，默认是空闲的", ["makes ids repeatable"] = "使 id 可以重复得到",
  ["serve the API over TLS too"] = "API 也通过 TLS 提供",
  ["the broker's TLS port, default a free one"] = "broker 的 TLS 端口，默认是空闲的", ["seconds"] = "秒数",
  ["accounts, apps, products and devices from a JSON or Lua file"] = "从 JSON 或 Lua 文件读取账号、应用、产品和设备",
  ["one app more; again for another"] = "增加一个应用；可以重复", ["one product more"] = "增加一个产品",
  ["one device more; its password is ID-secret when none is given"] = "增加一台设备；不给密码时是 ID-secret",
  ["write what to export to this file, too, 0600, once it is ready; it goes with the sandbox"] =
    "就绪后把要 export 的内容也写入这个文件（0600）；它随沙箱一起消失",
  ["end with standard input, too"] = "标准输入结束时也结束",
  ["start one for a command: exported to it, ended with it; its exit code is the command's"] =
    "为一个命令启动：变量交给它，随它结束；退出码就是命令的",
  ["the command and its arguments, behind --"] = "命令及其参数，放在 -- 之后",
  ["what a program needs to use the running one"] = "程序使用正在运行的沙箱所需的信息",
  ["until one serves there, for at most --timeout seconds"] = "等到那里开始服务，最多 --timeout 秒", ["where"] = "地址",
  ["add a seed file to it, or what --app, --product, --device and --devices say"] =
    "加入一个种子文件，或 --app、--product、--device 和 --devices 所说的内容",
  ["JSON or Lua"] = "JSON 或 Lua",
  ["arm a fault, as in endpoint=token code=10050; without one, show them"] =
    "设置一个故障，例如 endpoint=token code=10050；不给时显示它们",
  ["of docs/sandbox.md"] = "见 docs/sandbox.md",
  ["rules for MQTT, of one that was started with --mqtt-faults"] = "MQTT 的规则，用于以 --mqtt-faults 启动的沙箱",
  ["take all back first"] = "先全部撤销", ["its time; move or stop it"] = "它的时间；拨动或停住它",
  ["by so many seconds"] = "拨动这么多秒", ["the requests that came, as in endpoint=token code=0"] =
    "收到的请求，例如 endpoint=token code=0",
  ["of docs/sandbox.md: those where they are equal"] = "见 docs/sandbox.md：只要字段相等的",
  ["only how many"] = "只要数量", ["forget all of them afterwards"] = "然后全部忘掉",
  ["close a client's connections"] = "关闭一个客户端的连接", ["default: everybody's"] = "默认：所有人的",
  ["busted, pytest, or json, for replay"] = "busted、pytest，或供 replay 使用的 json",
  ["do what was recorded again, in a sandbox of its own, and see whether the same happens"] =
    "在一个独立的沙箱里重做所记录的事，看结果是否相同",
  ["for so many seconds"] = "记录这么多秒",
  ["of record --as json, - for standard input"] = "来自 record --as json，- 表示标准输入",
  ["to this file, default standard output"] = "写入这个文件，默认是标准输出",
  ["what has happened already, instead"] = "改为已经发生的事",
  ["write a test of what happens in a running one, until Ctrl-C"] = "把正在运行的沙箱里发生的事写成测试，直到按下 Ctrl-C",
  ["Recording; end it with Ctrl-C."] = "正在记录；按 Ctrl-C 结束。",
  ["back to the seed"] = "回到种子状态", ["NAME=VALUE expected, got '%s'"] = "应为 NAME=VALUE，得到 '%s'",

  -- Looking for what is wrong
  ["Check versions, files, network, certificates, account and broker"] = "检查版本、文件、网络、证书、账号和 broker",
  ["also check that the client may hear this device"] = "同时检查客户端能否接收这台设备的消息",
  ["Exit code 1 when a check fails; warnings are none."] = "有一项检查失败时退出码是 1；警告不算。",
  ["Show what a broker can do: versions, QoS, retained messages, limits"] =
    "显示一个 broker 能做什么：版本、QoS、保留消息、限制",
  ["the broker"] = "broker 的地址",
  ["Exit code 1 when a check fails, or the broker cannot be reached. It publishes to fogcloud-test/…, and "
    .. "takes away what it leaves."] =
    "有一项检查失败，或连不上 broker 时，退出码是 1。它向 fogcloud-test/… 发布消息，并清除自己留下的东西。",
  ["%d ok, %d to look at, %d wrong"] = "%d 项正常，%d 项需要注意，%d 项有误",
  ["%.0f s from the server's"] = "与服务器相差 %.0f 秒", ["as the server's"] = "与服务器一致",
  ["%s, profile '%s'"] = "%s，配置档 '%s'", [" (not there)"] = "（不存在）", [", yours alone"] = "，只属于你",
  ["API products"] = "API 产品", ["API token"] = "API 令牌", ["MQTT client"] = "MQTT 客户端", ["MQTT login"] = "MQTT 登录",
  ["MQTT permission"] = "MQTT 权限", ["MQTT plain port"] = "MQTT 明文端口", ["libcurl DNS"] = "libcurl DNS",
  ["QoS %d is granted in its place"] = "实际授予的是 QoS %d",
  ["a libcurl with the threaded resolver, or with c-ares"] = "使用带线程解析器或 c-ares 的 libcurl",
  ["a message is kept, and taken away"] = "消息被保留，也能清除", ["a message is not kept"] = "消息没有被保留",
  ["a proxy is used: the network is not looked at"] = "使用了代理：不检查网络",
  ["a shared subscription works"] = "共享订阅可用", ["accepted"] = "已接受", ["clock"] = "时钟",
  ["configuration"] = "配置", ["file"] = "文件", ["retaining"] = "保留消息", ["sharing"] = "共享订阅", ["given"] = "已取得",
  ["an account without products has no devices"] = "没有产品的账号没有设备",
  ["closed; TLS does not need it"] = "关闭；TLS 不需要它", ["each subscriber gets all"] = "每个订阅者都收到全部消息",
  ["end that one, or look at another client"] = "结束那个进程，或检查另一个客户端",
  ["fogcloud doctor looks at the network; --username, --cafile and --port say more of the broker"] =
    "fogcloud doctor 检查网络；--username、--cafile 和 --port 进一步说明 broker",
  ["fogcloud login, or set the FOGCLOUD_* variables"] = "执行 fogcloud login，或设置 FOGCLOUD_* 变量",
  ["fogcloud permission grant %s"] = "执行 fogcloud permission grant %s", ["have it renewed"] = "请更新证书",
  ["look at the proxy if the next fails"] = "如果下一项失败，请检查代理",
  ["make another client: fogcloud client create"] = "创建另一个客户端：fogcloud client create",
  ["names are looked up without a time-out"] = "域名解析没有超时", ["no message came"] = "没有收到消息",
  ["one broker: HOST, --host or --url"] = "只能有一个 broker：HOST、--host 或 --url",
  ["remove it; another token will be fetched"] = "删除它；会取一个新的令牌",
  ["see docs/troubleshooting.md"] = "见 docs/troubleshooting.md",
  ["see that it can be read: %s"] = "请确认它可以读取：%s",
  ["set this machine's clock (NTP); certificates depend on it"] = "校准本机时钟（NTP）；证书依赖它",
  ["the Access Key is wrong or withdrawn: fogcloud login"] = "Access Key 有误或已被撤销：fogcloud login",
  ["the broker is not looked at without one: fogcloud client create, or --client, --credentials"] =
    "没有客户端就不检查 broker：fogcloud client create，或 --client、--credentials",
  ["the broker keeps no retained messages for this client"] = "broker 不为这个客户端保留消息",
  ["the client may not publish there, or the broker drops it"] = "客户端不能向那里发布，或 broker 丢弃了消息",
  ["the client may not subscribe there"] = "客户端不能订阅那里",
  ["the message did not come back"] = "消息没有回来", ["there and back"] = "往返成功",
  ["trusted, for this host, until %s"] = "受信任，用于此主机，有效期至 %s", ["valid until %s only"] = "有效期只到 %s",
}

for text, other in pairs(require "fogcloud.cli.zh_refused") do texts[text] = other end

return texts
