// Reads forms as the fetch of Node.js does.

import { serve } from "./peer.mjs";

serve(async (contentType, body) => {
  let form;
  try {
    form = await new Response(body, { headers: { "content-type": contentType } }).formData();
  } catch {
    return null;
  }
  const value = ([name, value]) => (typeof value === "string" ? ["v", Buffer.from(name), Buffer.from(value)] : ["f", Buffer.from(name), Buffer.from(value.name)]);
  return [...form].map(value).filter(([kind, , value]) => kind === "v" || value.length > 0);
});
