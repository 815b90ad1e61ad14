-- Fields and columns for the comments that `rst-analyze report --format pcapng` puts on RSTs.
--
-- Install: copy this file into Wireshark's personal Lua plugins folder (Help > About > Folders), or for one run
--     tshark -X lua_script:rst-analyze.lua -r annotated.pcapng -Y 'rst.cause == "abort-on-close"'
-- Columns: right-click a field of "Why this RST was sent" and choose "Apply as Column".

local rst = Proto("rst", "Why this RST was sent (rst-analyze)")

rst.fields.cause = ProtoField.string("rst.cause", "Cause")
rst.fields.candidate = ProtoField.string("rst.candidate", "Other candidate")
rst.fields.certainty = ProtoField.string("rst.certainty", "Certainty")
rst.fields.direction = ProtoField.string("rst.direction", "Direction")
rst.fields.process = ProtoField.string("rst.process", "Process")
rst.fields.pid = ProtoField.uint32("rst.pid", "Process ID")
rst.fields.receiver = ProtoField.string("rst.receiver", "Receiver")
rst.fields.advice = ProtoField.string("rst.advice", "What to do")
rst.fields.text = ProtoField.string("rst.text", "Detail")

local comments = Field.new("frame.comment")
local fields = rst.fields

-- `abort-on-close or linger-zero, inferred; sent`, `connection-refused (closed-port or netfilter-reject), inferred`,
-- `unknown: injected or linger-zero`
local function verdict(tree, line)
    local words, direction = line:match("^(.-); (%a+)$")
    words = words or line
    local causes, certainty = words:match("^(.*), (%a+)$")
    causes = causes or words
    local first, others = causes:match("^([%w-]+)%s*(.*)$")
    if not first then return end
    tree:add(fields.cause, first)
    for other in others:gsub("[%(%):]", " "):gmatch("%S+") do
        if other ~= "or" then tree:add(fields.candidate, other) end
    end
    if certainty then tree:add(fields.certainty, certainty) end
    if direction then tree:add(fields.direction, direction) end
end

local function detail(tree, line)
    local process = line:match("^process: (.*)$")
    if process then
        local name, pid = process:match("^(.-) %(pid (%d+)")
        tree:add(fields.process, name or process)
        if pid then tree:add(fields.pid, tonumber(pid)) end
        return
    end
    local receiver, advice = line:match("^receiver: (.*)$"), line:match("^do: (.*)$")
    if receiver then
        tree:add(fields.receiver, receiver)
    elseif advice then
        tree:add(fields.advice, advice)
    else
        tree:add(fields.text, line)
    end
end

function rst.dissector(_, _, root)
    for _, comment in ipairs({ comments() }) do
        local text = tostring(comment.value)
        local line = text:match("^rst%-analyze: ([^\n]*)")
        if line then
            local tree = root:add(rst)
            verdict(tree, line)
            local isFirst = true
            for other in text:gmatch("[^\n]+") do
                if not isFirst then detail(tree, other) end
                isFirst = false
            end
        end
    end
end

register_postdissector(rst)
