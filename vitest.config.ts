import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  // The examples import the package by its name, as their readers will.
  resolve: {
    alias: {
      'dragoman/testing': fileURLToPath(new URL('src/testing/index.ts', import.meta.url)),
      'dragoman/verify': fileURLToPath(new URL('src/verify/index.ts', import.meta.url)),
      dragoman: fileURLToPath(new URL('src/index.ts', import.meta.url)),
    },
  },
  test: {
    include: ['test/**/*.test.ts'],
    // What the whole suite writes is gathered, and searched for tokens, keys and secrets when it is over.
    globalSetup: ['test/support/global.ts'],
    setupFiles: ['test/support/setup.ts'],
    // Certificates, key pairs and real servers take their time on a busy machine; no test asserts a duration.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
})
