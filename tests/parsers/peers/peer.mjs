// The conversation with the test: bodies come in, what a parser reads of them goes out.

/** Answers each body with what `read(contentType, body)` gives: a list of [kind, name, value], or null for a body that is refused. */
export async function serve(read) {
  process.stdout.write("ready\n");
  let rest = Buffer.alloc(0);
  for await (const chunk of process.stdin) {
    rest = Buffer.concat([rest, chunk]);
    const answers = [];
    for (;;) {
      const request = take(rest);
      if (request === null) break;
      rest = rest.subarray(request.length);
      const values = await read(request.contentType, request.body);
      const item = ([kind, name, value]) => `${kind}:${name.toString("hex")}:${value.toString("hex")}`;
      answers.push(values === null ? "-\n" : values.map(item).join(" ") + "\n");
    }
    process.stdout.write(answers.join(""));
  }
}

/** The first request of a buffer, or null where it is not whole. */
function take(buffer) {
  const first = buffer.indexOf(10);
  const second = first < 0 ? -1 : buffer.indexOf(10, first + 1);
  if (second < 0) return null;
  const [typeLength, bodyLength] = [buffer.subarray(0, first), buffer.subarray(first + 1, second)].map(Number);
  const typeEnd = second + 1 + typeLength;
  const length = typeEnd + bodyLength;
  if (buffer.length < length) return null;
  return { contentType: buffer.latin1Slice(second + 1, typeEnd), body: buffer.subarray(typeEnd, length), length };
}
