// Reads JSON as Node.js does, bytes that are not UTF-8 replaced as its servers replace them.

import { serve } from "./peer.mjs";

function flatten(value, name, values) {
  if (Array.isArray(value)) {
    value.forEach((element, place) => flatten(element, `${name}.array_${place}`, values));
  } else if (value !== null && typeof value === "object") {
    for (const key of Object.keys(value)) {
      flatten(value[key], `${name}.${key === "" ? "empty-key" : key}`, values);
    }
  } else {
    const kind = typeof value === "number" ? "n" : "v";
    values.push([kind, Buffer.from(name), Buffer.from(value === null ? "" : String(value))]);
  }
}

serve((_, body) => {
  let document;
  try {
    document = JSON.parse(body.toString("utf8"));
  } catch {
    return null;
  }
  const values = [];
  flatten(document, "json", values);
  return values;
});
