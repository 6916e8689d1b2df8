import { appendFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { threadId } from 'node:worker_threads'

/** Where everything that the suite writes is gathered, to be searched when it is over. */
export const WATCHED = join(import.meta.dirname, '../../.cache/watched')

const file = join(WATCHED, `${process.pid}-${threadId}.log`)

/** Adds what a test saw of a gateway: an audit record, an error, the body of a refusal. */
export function seen(what: unknown): void {
  mkdirSync(WATCHED, { recursive: true })
  appendFileSync(file, `${typeof what === 'string' ? what : JSON.stringify(what)}\n`)
}

/** Gathers what this process prints. */
export function watchOutput(): void {
  for (const stream of [process.stdout, process.stderr]) {
    const write = stream.write.bind(stream)
    stream.write = ((chunk: string | Uint8Array, ...rest: []) => {
      seen(Buffer.from(chunk as string).toString('utf8'))
      return write(chunk, ...rest)
    }) as typeof stream.write
  }
}
