-- `require`, `package` and `module` as in Lua 5.1, made for each call that uses them.
--
-- Takes functions of the host, the environment that hides it, `true` for a sandbox, and `parts` of the prelude; returns a function that adds them to
-- an environment. Modules of the host (`native.module`) precede files of the same name, because LuaSocket's own files need a library in C.

local native, hidden, sandboxed, parts = ...
local base, libraries, read, text = parts.base, parts.libraries, parts.read, parts.text
local concat, error, format, rawget, rawset, select, setfenv, setmetatable, type =
    table.concat, error, string.format, rawget, rawset, select, setfenv, setmetatable, type
local gmatch, gsub, match = libraries.string.gmatch, libraries.string.gsub, libraries.string.match
local open = libraries.io and libraries.io.open

-- Marks a module that is being loaded.
local loading = {}

-- The libraries of an environment count as loaded, and so do the globals of its kind.
local function behind(environment)
    return {
        __index = function(_, name)
            if name == "_G" then
                return environment
            elseif libraries[name] or name == "m" then
                return environment[name]
            end
        end,
        __metatable = false,
    }
end

-- Runs a module that was found, once for each call.
local function load_with(find, loaded, name)
    local value = loaded[name]
    if value == loading then
        error(format("loop or previous error loading module '%s'", name), 3)
    elseif value ~= nil then
        return value
    end
    local found = find(name)
    loaded[name] = loading
    value = found(name)
    if value ~= nil then
        loaded[name] = value
    elseif rawget(loaded, name) == loading then
        loaded[name] = true
    end
    return loaded[name]
end

-- Returns the first existing file of a path for a module, or `nil` and the paths that were tried.
local function search_path(name, path)
    local places = {}
    local part = gsub(gsub(name, "%.", "/"), "%%", "%%%%")
    for template in gmatch(path, "[^;]+") do
        local file = gsub(template, "%?", (part))
        local opened = open(file, "rb")
        if opened then
            opened:close()
            return file
        end
        places[#places + 1] = format("\n\tno file '%s'", file)
    end
    return nil, concat(places)
end

-- The functions of `package.loaders`, in the order of Lua; each returns the loader of the module, or the places that were tried.
local function loaders(package, environment, require)
    local function preloaded(name)
        local made = package.preload[name]
        return made == nil and format("\n\tno field package.preload['%s']", name) or made
    end
    local function own(name)
        local make, part, global = native.module(name)
        if not make then
            return nil
        end
        setfenv(make, hidden)
        return function()
            local made = make(part, parts, require)
            if global then
                rawset(environment, global, made)
            end
            return made
        end
    end
    local function of_file(name)
        if type(package.path) ~= "string" then
            error("'package.path' must be a string", 5)
        end
        local file, places = search_path(name, package.path)
        if not file then
            return places
        end
        local opened = open(file, "rb")
        local source = opened:read("*a")
        opened:close()
        local chunk, problem = read(source or "", "@" .. file, nil, parts.environment())
        if not chunk then
            error(format("error loading module '%s' from file '%s':\n\t%s", name, file, problem), 5)
        end
        return chunk
    end
    -- Many modules are called `json`: files are searched before that of the host.
    local function of_host(name)
        return name ~= "json" and own(name) or nil
    end
    local function after_files(name)
        return name == "json" and own(name) or nil
    end
    return { preloaded, of_host, of_file, after_files }
end

local function add_package(environment)
    local loaded = setmetatable({}, behind(environment))
    local package = { loaded = loaded, preload = {}, path = native.path, cpath = "", config = "/\n;\n?\n!\n-\n" }

    local function find(name)
        local places = {}
        if type(package.loaders) ~= "table" then
            error("'package.loaders' must be a table", 4)
        end
        for at = 1, #package.loaders do
            local found = package.loaders[at](name)
            if type(found) == "function" then
                return found
            elseif type(found) == "string" then
                places[#places + 1] = found
            end
        end
        error(format("module '%s' not found:%s", name, concat(places)), 4)
    end

    local function require(name)
        local value = load_with(find, loaded, text(name, 1, "require"))
        return value
    end
    loaded.package = package
    package.loaders = loaders(package, environment, require)

    function package.searchpath(name, path)
        local file, places = search_path(text(name, 1, "searchpath"), text(path, 2, "searchpath"))
        return file, places
    end

    function package.seeall(module)
        setmetatable(module, { __index = environment })
    end

    -- Returns the table of a module's name, which may have dots.
    local function table_of(name)
        local place = environment
        for part in gmatch(name, "[^.]+") do
            local inner = place[part]
            if inner == nil then
                inner = {}
                place[part] = inner
            elseif type(inner) ~= "table" then
                error(format("name conflict for module '%s'", name), 3)
            end
            place = inner
        end
        return place
    end

    local function module(name, ...)
        name = text(name, 1, "module")
        local made = rawget(loaded, name)
        if type(made) ~= "table" or made == loading then
            made = table_of(name)
            loaded[name] = made
        end
        if made._NAME == nil then
            made._M, made._NAME, made._PACKAGE = made, name, match(name, "^(.*%.)[^.]*$") or ""
        end
        parts.move(2, made)
        for at = 1, select("#", ...) do
            select(at, ...)(made)
        end
    end

    rawset(environment, "package", package)
    rawset(environment, "require", require)
    rawset(environment, "module", module)
end

-- In the sandbox: only the available libraries.
local function add_plain(environment)
    local loaded = setmetatable({}, behind(environment))
    local function find(name)
        error(format("module '%s' not found: SecLuaSandbox leaves standard libraries only", name), 4)
    end
    rawset(environment, "require", function(name)
        local value = load_with(find, loaded, text(name, 1, "require"))
        return value
    end)
end

for _, value in base.ipairs { behind, load_with, search_path, loaders, add_package, add_plain } do
    setfenv(value, hidden)
end
return sandboxed and add_plain or add_package
