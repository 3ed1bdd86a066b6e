--- A binding of libmodsecurity's C interface for LuaJIT.
--
--   local secrule = require "secrule"
--   local engine = secrule.engine("my server 1.0")
--   local rules = engine:rules():add('SecRuleEngine On'):add_file("/etc/waf/*.conf")
--   local transaction = engine:transaction(rules)
--
-- The host then makes the transaction's calls in the order in which they stand below, as far as the exchange gets. Those that judge
-- give nil, or the decision to stop: a table with `status`, `log`, and `url` where the client is to be sent somewhere else.
--
-- What C holds is released by the garbage collector, a transaction before the rules and the engine that it was made with; `close` on a
-- transaction releases it at once, which is what a server wants: Lua does not see how much memory C holds.

local ffi = require "ffi"

ffi.cdef [[
typedef struct ModSecurity_t ModSecurity;
typedef struct Rules_t RulesSet;
typedef struct Transaction_t Transaction;
typedef struct ModSecurityIntervention_t {
    int status;
    int pause;
    char *url;
    char *log;
    int disruptive;
} ModSecurityIntervention;

ModSecurity *msc_init(void);
const char *msc_who_am_i(ModSecurity *engine);
void msc_set_connector_info(ModSecurity *engine, const char *connector);
void msc_cleanup(ModSecurity *engine);

RulesSet *msc_create_rules_set(void);
int msc_rules_add(RulesSet *rules, const char *text, const char **error);
int msc_rules_add_file(RulesSet *rules, const char *file, const char **error);
int msc_rules_merge(RulesSet *to, RulesSet *from, const char **error);
int msc_rules_cleanup(RulesSet *rules);

Transaction *msc_new_transaction(ModSecurity *engine, RulesSet *rules, void *log_data);
Transaction *msc_new_transaction_with_id(ModSecurity *engine, RulesSet *rules, const char *id, void *log_data);
int msc_process_connection(Transaction *transaction, const char *client, int client_port, const char *server, int server_port);
int msc_process_uri(Transaction *transaction, const char *uri, const char *method, const char *http_version);
int msc_add_n_request_header(Transaction *transaction, const char *name, size_t name_length, const char *value, size_t value_length);
int msc_process_request_headers(Transaction *transaction);
int msc_append_request_body(Transaction *transaction, const char *chunk, size_t length);
int msc_process_request_body(Transaction *transaction);
int msc_add_n_response_header(Transaction *transaction, const char *name, size_t name_length, const char *value, size_t value_length);
int msc_process_response_headers(Transaction *transaction, int status, const char *protocol);
int msc_append_response_body(Transaction *transaction, const char *chunk, size_t length);
int msc_process_response_body(Transaction *transaction);
int msc_update_status_code(Transaction *transaction, int status);
int msc_process_logging(Transaction *transaction);
int msc_intervention(Transaction *transaction, ModSecurityIntervention *intervention);
void msc_transaction_cleanup(Transaction *transaction);

void free(void *memory);
]]

local library = ffi.load "libmodsecurity.so.3"

--- An object of C with several owners, released when the last of them lets go.
-- When a Lua state ends, finalizers run in any order: counting keeps a rule set from going before its transactions do.
local function owned(object, release)
    local owners = 0
    local shared = {}

    function shared.hold()
        owners = owners + 1
        return object
    end

    function shared.let_go()
        owners = owners - 1
        if owners == 0 then
            release(object)
        end
    end

    return shared
end

--- Something whose end, found by the garbage collector, runs `finish`. `finish` must not refer to who holds it.
local function on_collection(finish)
    return ffi.gc(ffi.new "char[1]", finish)
end

--- A text of C as a string, the text released.
local function taken(text)
    if text == nil then
        return nil
    end
    local copy = ffi.string(text)
    ffi.C.free(ffi.cast("void *", text))
    return copy
end

local Engine, Rules, Transaction = {}, {}, {}
Engine.__index, Rules.__index, Transaction.__index = Engine, Rules, Transaction

--- Begins to use the library; `connector` says who the host is, for the audit log.
local function engine(connector)
    local object = library.msc_init()
    assert(object ~= nil, "the library does not start")
    if connector then
        library.msc_set_connector_info(object, connector)
    end
    local shared = owned(object, library.msc_cleanup)
    return setmetatable({ object = shared.hold(), shared = shared, finalizer = on_collection(shared.let_go) }, Engine)
end

--- Name and version of the library.
function Engine:who_am_i()
    return ffi.string(library.msc_who_am_i(self.object))
end

--- An empty rule set.
function Engine:rules()
    local object = library.msc_create_rules_set()
    assert(object ~= nil, "no memory for rules")
    local shared = owned(object, library.msc_rules_cleanup)
    return setmetatable({ object = shared.hold(), shared = shared, finalizer = on_collection(shared.let_go) }, Rules)
end

local function added(rules, call, what)
    local message = ffi.new "const char *[1]"
    if call(rules.object, what, message) < 0 then
        error(taken(message[0]) or "the rules cannot be read", 3)
    end
    return rules
end

--- Adds rules from a text; raises an error that says what is wrong, and gives the rule set back.
function Rules:add(text)
    return added(self, library.msc_rules_add, text)
end

--- The same from a file and all that it includes.
function Rules:add_file(path)
    return added(self, library.msc_rules_add_file, path)
end

--- The same from another rule set.
function Rules:merge(other)
    return added(self, library.msc_rules_merge, other.object)
end

--- A transaction: one request with its response. `id` is optional; the library makes one.
function Engine:transaction(rules, id)
    local object
    if id then
        object = library.msc_new_transaction_with_id(self.object, rules.object, id, nil)
    else
        object = library.msc_new_transaction(self.object, rules.object, nil)
    end
    assert(object ~= nil, "no transaction can begin")
    local engine_in_use, rules_in_use = self.shared, rules.shared
    engine_in_use.hold()
    rules_in_use.hold()
    local shared = owned(object, function(ended)
        library.msc_transaction_cleanup(ended)
        rules_in_use.let_go()
        engine_in_use.let_go()
    end)
    return setmetatable({ object = shared.hold(), shared = shared, finalizer = on_collection(shared.let_go) }, Transaction)
end

--- The decision that waits, or nil.
local function decision(transaction)
    local intervention = ffi.new("ModSecurityIntervention", { status = 200 })
    if library.msc_intervention(transaction.object, intervention) == 0 then
        return nil
    end
    local url, log = taken(intervention.url), taken(intervention.log)
    if intervention.disruptive == 0 then
        return nil
    end
    return { status = intervention.status, url = url, log = log }
end

--- A connection was made: addresses as text, ports as numbers.
function Transaction:connection(client, client_port, server, server_port)
    library.msc_process_connection(self.object, client, client_port, server, server_port)
    return decision(self)
end

--- The request line: the address as it came, the method, and the version without "HTTP/".
function Transaction:uri(uri, method, version)
    library.msc_process_uri(self.object, uri, method, version)
    return decision(self)
end

--- A request header.
function Transaction:request_header(name, value)
    library.msc_add_n_request_header(self.object, name, #name, value, #value)
end

--- All request headers are there.
function Transaction:request_headers()
    library.msc_process_request_headers(self.object)
    return decision(self)
end

--- A chunk of the request body; it may decide already, where a limit is reached.
function Transaction:request_chunk(chunk)
    library.msc_append_request_body(self.object, chunk, #chunk)
    return decision(self)
end

--- The whole request body is there. To be called without a body too: most rules about parameters wait for it.
function Transaction:request_body()
    library.msc_process_request_body(self.object)
    return decision(self)
end

--- A response header.
function Transaction:response_header(name, value)
    library.msc_add_n_response_header(self.object, name, #name, value, #value)
end

--- All response headers are there; `protocol` is such as "HTTP/1.1".
function Transaction:response_headers(status, protocol)
    library.msc_process_response_headers(self.object, status, protocol)
    return decision(self)
end

--- A chunk of the response body.
function Transaction:response_chunk(chunk)
    library.msc_append_response_body(self.object, chunk, #chunk)
    return decision(self)
end

--- The whole response body is there.
function Transaction:response_body()
    library.msc_process_response_body(self.object)
    return decision(self)
end

--- The status that the host answers with after all, for the logs.
function Transaction:answered(status)
    library.msc_update_status_code(self.object, status)
end

--- Everything is over: the last phase and the audit log.
function Transaction:logging()
    library.msc_process_logging(self.object)
end

--- Releases the transaction. It can be called twice; the other calls do nothing afterwards.
function Transaction:close()
    if self.object ~= nil then
        self.object = nil
        ffi.gc(self.finalizer, nil)
        self.shared.let_go()
    end
end

return { engine = engine }
