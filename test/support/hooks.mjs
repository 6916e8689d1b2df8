// For programs of the pages: what their reader has installed is here.
import { registerHooks } from 'node:module'

const index = new URL('../../src/index.ts', import.meta.url).href
const testing = new URL('../../src/testing/index.ts', import.meta.url).href
const verify = new URL('../../src/verify/index.ts', import.meta.url).href
registerHooks({
  resolve(specifier, context, next) {
    if (specifier === 'dragoman') return { url: index, shortCircuit: true }
    if (specifier === 'dragoman/testing') return { url: testing, shortCircuit: true }
    if (specifier === 'dragoman/verify') return { url: verify, shortCircuit: true }
    const bare = /^[@a-z]/.test(specifier) && !specifier.startsWith('node:') && !specifier.startsWith('file:')
    return next(specifier, bare ? { ...context, parentURL: index } : context)
  },
})
