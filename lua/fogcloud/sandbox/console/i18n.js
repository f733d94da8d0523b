// SPDX-License-Identifier: MIT
// The page's words: English ones are their own keys. The browser says which language.

const ZH = {
  'Skip to content': '跳到内容', Panels: '面板', Overview: '概览', Devices: '设备', Clients: '客户端', Messages: '消息', Requests: '请求', Faults: '故障',
  Clock: '时钟', Timeline: '时间线', connected: '已连接', 'not connected': '未连接', 'connecting…': '正在连接…', read_only: '只读',
  'broker up': '代理正常', 'broker down': '代理已停止', 'clock frozen': '时钟已冻结', 'clock moved': '时钟已拨动', 'real time': '真实时间',
  'The page cannot change anything: open the address that was printed at the start, with its key.': '此页面不能做任何更改：请打开启动时打印的、带密钥的地址。',
  'The sandbox was started anew. This page shows the new one; to change something, open the address that it printed.': '沙箱已重新启动。本页显示的是新沙箱；要做更改，请打开它打印的新地址。',
  'Is everything well, and what is going on': '一切是否正常，正在发生什么',
  API: 'API', Broker: '代理', 'answers requests': '正在应答请求', 'cannot be reached': '无法访问', 'takes connections': '正在接受连接', 'is stopped': '已停止',
  'every reply is HTTP 200': '每个应答都是 HTTP 200', frozen: '已冻结', 'runs, moved by {0}': '运行中，已拨动 {0}', 'runs with real time': '与真实时间同步',
  'Messages per second': '每秒消息数', now: '现在', '{0} s ago': '{0} 秒前', 'peak {0}': '峰值 {0}', '{0} in all': '共 {0} 条', '{0} not kept': '{0} 条未保留',
  Connections: '连接', 'Calls of the API': 'API 调用', 'Faults armed': '已设故障', 'What happened last': '最近发生', 'Where it is': '地址',
  'Copy variables': '复制环境变量', copied: '已复制', 'Nothing has happened yet': '还没有发生任何事', 'Start your program with these variables:': '用这些变量启动你的程序：',
  'Find a device': '查找设备', 'Find a client': '查找客户端', 'Find a call': '查找调用', online: '在线', offline: '离线', played: '由此页扮演', 'last message {0}': '最后消息 {0}', never: '从未',
  '{0} clients': '{0} 个客户端', 'No device is called so': '没有这样的设备', 'Each device, and who may talk to it. Choose one to play it: report a status, answer commands.': '每个设备，以及谁可以与它通信。选择一个来扮演它：上报状态、应答命令。', Close: '关闭', Product: '产品', Password: '密码', Account: '账户',
  Permissions: '权限', 'No client may talk to it.': '没有客户端可以与它通信。', Grant: '授权', Revoke: '撤销', Client: '客户端', 'Play it': '扮演它', 'Bring online': '上线', 'Take offline': '下线',
  'Report a status': '上报状态', Channel: '通道', Payload: '内容', Report: '上报', retained: '保留', 'Answer each command with its own payload': '用命令自身的内容应答每个命令',
  'Commands that came': '收到的命令', 'None yet.': '还没有。', Answer: '应答', reported: '已上报', granted: '已授权', revoked: '已撤销', 'thrown out': '已断开',
  'MQTT clients that programs made, and which devices they may talk to': '程序创建的 MQTT 客户端，以及它们可以与哪些设备通信', 'No client has been made': '还没有客户端',
  'A program makes one by the call create_client.': '程序通过 create_client 调用创建客户端。', 'no permission': '无权限', Login: '登录名', App: '应用', 'Connected since': '连接时间', Disconnect: '断开', Device: '设备',
  'It may talk to no device.': '它不能与任何设备通信。', 'What devices and programs say, as it comes': '设备和程序所说的内容，实时显示', 'Filter by topic, d2c/+/status': '按主题过滤，d2c/+/status', Pause: '暂停', 'Go on': '继续',
  Publish: '发布', Topic: '主题', published: '已发布', 'No message has come': '还没有消息', 'They stand here as soon as somebody publishes.': '一有人发布，就会显示在这里。', refused: '被拒绝', withheld: '未送达',
  'nobody: published here': '由此页发布', From: '来自', To: '订阅者', Size: '大小', 'Time': '时间', 'no permission to publish': '没有发布权限', 'the subscriber has no permission': '订阅者没有权限', 'only the first 4 KiB are kept': '只保留前 4 KiB', empty: '空',
  'Every call of the API: what was asked, and what was answered': '每次 API 调用：问了什么，答了什么', 'No call has come': '还没有调用', 'Copy as curl': '复制为 curl', Call: '调用', Status: '状态', Code: '代码', Message: '消息', Took: '用时', Parameters: '参数', Fault: '故障', 'Near call that is taken': '相近的可行调用',
  'Make calls and connections fail, as clouds do': '让调用和连接失败，就像真实的云一样', 'Make calls fail': '让调用失败', 'Make MQTT fail': '让 MQTT 失败', Kind: '种类', 'Which call': '哪个调用', 'all calls': '所有调用', 'How many (0: without end)': '次数（0：无限）', Probability: '概率', Arm: '启用', armed: '已启用', 'Clear all': '全部清除', Clear: '清除', cleared: '已清除',
  'answers a code': '返回代码', 'answers an HTTP status': '返回 HTTP 状态', 'comes late': '延迟', 'is cut': '被切断', 'is done, and no reply comes': '已执行但没有应答', 'has another body': '内容被替换', 'is cut short': '内容被截短', 'is filled up': '内容被填充', 'trickles': '缓慢发送', 'asks to wait': '要求等待',
  'Nothing is armed': '没有启用的故障', 'struck {0} times': '已触发 {0} 次', '{0} left': '剩余 {0} 次', 'without end': '无限', 'used up': '已用完', 'Start the sandbox with --mqtt-faults to make MQTT fail.': '用 --mqtt-faults 启动沙箱，才能让 MQTT 失败。', 'Set rules': '设置规则', 'rules are set': '规则已设置', 'met by {0} connections': '已影响 {0} 个连接', before: '之前', during: '之中', after: '之后',
  'The time that tokens live by': '令牌所依据的时间', Freeze: '冻结', 'Let it run': '继续运行', Advance: '拨快', 'Advance by seconds': '拨动秒数', minute: '分钟', hour: '小时', day: '天', week: '周', Tokens: '令牌', 'No token has been issued': '还没有签发令牌', expired: '已过期', '{0} left to live': '剩余 {0}', 'Forget all tokens': '作废所有令牌', 'tokens are forgotten': '令牌已作废', 'Back to real time': '回到真实时间', 'New tokens live {0}': '新令牌有效期 {0}',
  'All that happened, in its order. Choose a first and a last line to make a test of what stands between.': '按顺序列出发生的一切。选择首行和末行，把中间的部分变成测试。', Calls: '调用', Changes: '更改', 'Copy as spec': '复制为测试', Details: '详情', 'Clear selection': '取消选择', 'Choose a line, then another one with Shift.': '选择一行，再按住 Shift 选择另一行。', 'chosen: {0}': '已选：{0}', 'First line': '首行', 'Last line': '末行', 'Test as': '测试格式', 'Reset sandbox': '重置沙箱', 'Back to the seed: everything else is forgotten. Go on?': '回到种子：其他一切都会丢失。继续吗？', 'is back to the seed': '已回到种子', 'messages came too fast to be kept': '条消息来得太快，未保留', 'Show test': '显示测试', 'You can edit it; it starts a sandbox of its own.': '可以修改；它会启动自己的沙箱。'
}

const chinese = (navigator.languages?.[0] || navigator.language || 'en').toLowerCase().startsWith('zh')

export const language = chinese ? 'zh' : 'en'

export function t (text, ...values) {
  const said = (chinese && ZH[text]) || (text === 'read_only' ? 'read only' : text)
  return said.replace(/\{(\d)\}/g, (_, i) => values[i])
}

// A span of time in the largest unit that it fills.
export function span (seconds) {
  const n = Math.abs(Math.round(seconds))
  const units = chinese ? [' 天', ' 小时', ' 分钟', ' 秒'] : [' d', ' h', ' min', ' s']
  const sizes = [86400, 3600, 60, 1]
  const at = sizes.findIndex(size => n >= size)
  if (at < 0) return '0' + units[3]
  const rest = at < 3 ? Math.floor(n % sizes[at] / sizes[at + 1]) : 0
  return Math.floor(n / sizes[at]) + units[at] + (rest > 0 ? ' ' + rest + units[at + 1] : '')
}
