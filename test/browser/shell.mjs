// Failures of the shell, in Chromium: whatever is missing, broken, unreachable or killed gives a
// clear message on the page and an InosError with a stable code, and nothing hangs. Needs dist
// (make dist). Arguments pick tests by a part of their name. Ends with "N passed, N failed".
import { browser, count, silent } from './shell/page.mjs';
import './shell/start.mjs';
import './shell/mesh.mjs';
import './shell/console.mjs';

await browser.close();
silent.close();
console.log(`\n${count.passed} passed, ${count.failed} failed`);
process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
