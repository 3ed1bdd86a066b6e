//! Scripts of the published document, with what its extraction to text lost put back: ends of blocks and of long texts, labels, and names that look like
//! addresses of the web. All else is literally as it was published.

use secrule_testkit::shared;

/// The document, among the shared cases.
pub const DOCUMENT: &str = "published/000-openresty-edge-lua-extensions.txt";

/// The example that prints events: a picture, of which the text has nothing left.
pub const PRINTER: &str = "output(trigger_event)";

/// A place that the extraction damaged, and what stands there for it. Places are in the order of the text.
type Repair<'r> = (&'r str, &'r str);

/// Returns the example that posts the load of nodes, with an address in place of the one that was lost.
pub fn minute_report(url: &str) -> String {
    let posted = format!("}}\nres = http_query('POST', \"{url}\", params)");
    repaired(
        "local sql = [[\nselect node_id",
        "\n\nThen we can click",
        &[("limit 1\n", "limit 1\n]]\n"), ("res = http_query('POST', \"\", params)", &posted)],
    )
}

/// Returns the example that puts blocked clients on a list.
pub fn blocked_clients() -> String {
    repaired(
        "-- In this example we assume",
        "\n\nVerify the HTTPS certificate",
        &[
            ("app_id='%s'\n", "app_id='%s'\n]]\n"),
            ("successfully!\")\n", "successfully!\")\nelse\n"),
            ("tostring(err))", "tostring(err))\nend"),
        ],
    )
}

/// Returns the example that checks certificates, as it was published: without an application.
pub fn certificates() -> String {
    repaired("-- UPDATE-ME: please", "", &CERTIFICATES)
}

const CERTIFICATES: [Repair<'static>; 34] = [
    ("is required\")\n", "is required\")\nend\n"),
    ("local re_find =\n", "local re_find = ngx.re.find\n"),
    ("        return nil, err\n", "        return nil, err\n    end\n"),
    ("domain, true)\n", "domain, true)\nend\n"),
    ("        return true\n", "        return true\n    end\n"),
    ("    return false\n", "    return false\nend\n"),
    ("is_wildcard,\n", "is_wildcard,\n    applications.https_ports https_ports\n"),
    ("on = applications_domains", "on applications.id = applications_domains"),
    ("where = %d\n", "where applications.id = %d\n]]\n"),
    (
        "certs_acme_host on\n",
        "certs_acme_host on\n    applications_phases_ssl_cert_certs.id = applications_phases_ssl_cert_certs_acme_host._certs_id\n",
    ),
    ("_applications_id = %d\n", "_applications_id = %d\nunion\n"),
    ("global_cert =\n", "global_cert = global_certs.id\n"),
    ("_applications_id = %d\n", "_applications_id = %d\n]]\n"),
    ("on = applications_partitions", "on applications.id = applications_partitions"),
    ("on = gateway_nodes", "on gateway.id = gateway_nodes"),
    ("    and = %d\n", "    and applications.id = %d\n]]\n"),
    ("tostring(app_id))\n", "tostring(app_id))\nend\n"),
    ("= app_domain\n", "= app_domain\nend\n"),
    ("domain_str)\n", "domain_str)\nend\n"),
    ("domain_str)\n", "domain_str)\nend\n"),
    ("        goto _next_\n", "        goto _next_\n    end\n"),
    ("[app_domain]\n", "[app_domain]\n            end\n        end\n"),
    ("        goto _next_\n", "        goto _next_\n    end\n"),
    ("            goto _next_\n", "            goto _next_\n        end\n"),
    ("app_obj.https_ports\n", "app_obj.https_ports\n                }\n"),
    ("hit = true\n", "hit = true\n            end\n        end\n    end\n"),
    ("        goto _next_\n", "        goto _next_\n    end\n"),
    ("domain_str)\n", "domain_str)\n\n    ::_next_::\nend\n"),
    ("            goto _next_node_\n", "            goto _next_node_\n        end\n"),
    ("                goto _next_node_\n", "                goto _next_node_\n            end\n"),
    ("check_domain, ip)\n", "check_domain, ip)\n        end\n\n        ::_next_node_::\n    end\nend\n"),
    ("(check_domain_list, ','))\n", "(check_domain_list, ','))\nelse\n"),
    ("(ok_tbl, \"\\n === \\n\"))\n", "(ok_tbl, \"\\n === \\n\"))\n    else\n"),
    ("successfully\")", "successfully\")\n    end\nend"),
];

/// Returns a script of the document, from the line that begins so to the text that follows it, with its damages repaired.
fn repaired(begin: &str, end: &str, repairs: &[Repair<'_>]) -> String {
    let document = std::fs::read_to_string(shared(DOCUMENT)).unwrap();
    let start = document.find(begin).unwrap_or_else(|| panic!("the document has no `{begin}`"));
    let length = if end.is_empty() { document.len() - start } else { document[start..].find(end).unwrap() };
    let (mut rest, mut script) = (&document[start..start + length], String::new());
    for (damaged, whole) in repairs {
        let at = rest.find(damaged).unwrap_or_else(|| panic!("the document has no `{damaged}` in `{rest}`"));
        script.push_str(&rest[..at]);
        script.push_str(whole);
        rest = &rest[at + damaged.len()..];
    }
    script + rest
}
