import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { threadId } from 'node:worker_threads'

/** Names the folder where everything that this run of the suite writes is gathered, to be searched when it is over. */
export const WATCHED = 'DRAGOMAN_WATCHED'

/** Adds what a test saw of a gateway: an audit record, an error, the body of a refusal. */
export function seen(what: unknown): void {
  const folder = process.env[WATCHED]
  if (folder === undefined) return
  const file = join(folder, `${process.pid}-${threadId}.log`)
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
