// Builds the page and the Workers. kernel.wasm and the capsules are no part of
// it: scripts/pack.mjs adds them, compressed and named by their content.
import { defineConfig } from 'vitest/config';

export default defineConfig({
  base: './',
  build: {
    outDir: process.env.INOS_WEB_OUT ?? 'dist',
    emptyOutDir: true,
    target: 'es2022',
    sourcemap: false,
    reportCompressedSize: false,
    modulePreload: { polyfill: false },
  },
  worker: { format: 'es' },
  test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
