import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ProofMethod } from '../core/proof.ts'
import { publicKey } from '../wire/jwk.ts'
import { UsageError } from './io.ts'

/** A key in a file (PEM, private or public) as proved: what its holder could show, offline. @throws {@link UsageError} */
export function provedKey(file: string): ProofMethod {
  const proof = { method: 'dpop', publicKey: keyIn(file) }
  return { name: 'key', prove: () => proof }
}

function keyIn(file: string) {
  try {
    return publicKey(createPublicKey(readFileSync(file, 'utf8')))
  } catch {
    throw new UsageError(`${file} is not a key in PEM`)
  }
}

/** A time of the command line, in seconds since 1970. @throws {@link UsageError} */
export function secondsOf(text: string): number {
  const seconds = Number(text)
  if (!Number.isSafeInteger(seconds) || seconds < 0) throw new UsageError(`${text} is not a time in seconds`)
  return seconds
}
