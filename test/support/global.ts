import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { WATCHED } from './watch.ts'

/** What must never be in a log, a record or an error, whatever a test did. */
const SECRETS: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['a signed JWT', /eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{16,}/],
  ['a CWT', /2D3S[hg][A-Za-z0-9_-]{40,}/],
  ['a private key', /-----BEGIN [A-Z ]*PRIVATE KEY-----/],
  ['a private JWK', /"(?:d|priv)":"[A-Za-z0-9_-]{20,}"/],
  ['a certificate', /-----BEGIN CERTIFICATE-----/],
  ['a client secret', /demo-secret|tester-secret|canary-/],
  ['Basic credentials', /Basic [A-Za-z0-9+/]{12,}={0,2}/],
]

export function setup(): void {
  process.env[WATCHED] = mkdtempSync(join(tmpdir(), 'dragoman-watched-'))
}

/** Searches everything that the whole suite wrote. A find fails the run. */
export function teardown(): void {
  const folder = process.env[WATCHED] ?? ''
  try {
    for (const name of readdirSync(folder)) {
      const text = readFileSync(join(folder, name), 'utf8')
      for (const [what, pattern] of SECRETS) {
        const found = pattern.exec(text)
        if (found)
          throw new Error(`the suite wrote ${what}: ${text.slice(Math.max(0, found.index - 200), found.index + 80)}`)
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
