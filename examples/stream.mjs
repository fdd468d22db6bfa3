// A stream into a capsule, and what it adds up to there. For the devtools console of a page
// with a kernel: paste all of it. spawn's option { node: PEERID } puts the capsule on another
// node, one whose policy lets this one spawn there.
await inos.ready;
const { capsuleId } = await inos.spawn('wordcount');

let left = 1000;
const lines = new ReadableStream({
  pull(controller) {
    if (left-- > 0) controller.enqueue('to be or not to be\n');
    else controller.close();
  },
});
await inos.feed(capsuleId, lines); // as fast as the capsule reads, whatever the length
const total = await inos.call(capsuleId, 'total');
console.log(total.text);
await inos.kill(capsuleId);
