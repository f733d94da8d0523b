-- SPDX-License-Identifier: MIT

--- What a process holds, over time: memory, descriptors, threads. Linux' /proc.
local measure = {}

local function status_of(pid)
  local file = assert(io.open(("/proc/%d/status"):format(pid)))
  local text = file:read("*a")
  file:close()
  return tonumber(text:match("VmRSS:%s*(%d+)")) / 1024, tonumber(text:match("Threads:%s*(%d+)"))
end

--- This process's id.
function measure.pid()
  local file = assert(io.open("/proc/self/stat"))
  local pid = tonumber(file:read("*l"):match("^(%d+)"))
  file:close()
  return pid
end

local function descriptors(pid)
  local pipe = assert(io.popen(("ls /proc/%d/fd | wc -l"):format(pid)))
  local count = tonumber(pipe:read("*l"))
  pipe:close()
  return count - 1 -- the pipe itself
end

--- { rss = MiB, threads =, fds =, lua = MiB }
function measure.now(pid)
  local rss, threads = status_of(pid)
  return { rss = rss, threads = threads, fds = descriptors(pid), lua = collectgarbage("count") / 1024 }
end

--- What a process holds once `enough(sample)` says that it may, or after ten seconds of `sleep`.
function measure.settled(pid, sleep, enough)
  local sample
  for _ = 1, 100 do
    collectgarbage()
    collectgarbage()
    sleep(0.1)
    sample = measure.now(pid)
    if enough(sample) then break end
  end
  return sample
end

--- The slope of samples' field over their time, per minute: least squares over those from `from` seconds on.
function measure.slope(samples, field, from)
  local n, st, sv, stt, stv = 0, 0, 0, 0, 0
  for _, sample in ipairs(samples) do
    if sample.at >= from then
      local t, v = sample.at / 60, sample[field]
      n, st, sv, stt, stv = n + 1, st + t, sv + v, stt + t * t, stv + t * v
    end
  end
  local spread = n * stt - st * st
  return n > 2 and spread > 0 and (n * stv - st * sv) / spread or 0
end

--- Least and most of a field from `from` seconds on.
function measure.range(samples, field, from)
  local low, high = math.huge, -math.huge
  for _, sample in ipairs(samples) do
    if sample.at >= from then low, high = math.min(low, sample[field]), math.max(high, sample[field]) end
  end
  return low, high
end

return measure
