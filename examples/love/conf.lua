-- SPDX-License-Identifier: MIT

function love.conf(t)
  t.identity = "fogcloud-dashboard"
  t.version = "11.4"
  t.window.title = "FogCloud devices"
  t.window.width, t.window.height = 960, 600
  t.window.resizable = true
  t.modules.audio, t.modules.sound, t.modules.physics, t.modules.joystick = false, false, false, false
end
