import { execFile, spawnSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** Whether wrk is installed: a driver in C, which takes a fifth of the processor that ours takes. */
export const hasWrk = (): boolean => spawnSync('wrk', ['--version']).error === undefined

const run = promisify(execFile)

/**
 * Closed loop by wrk, in one thread: each of these requests once.
 *
 * @throws Error where one is refused, or where there were too few of them
 */
export async function wrkLoop(
  port: number,
  requests: readonly Buffer[],
  { seconds, connections, folder }: { readonly seconds: number; readonly connections: number; readonly folder: string },
): Promise<{ readonly answered: number; readonly seconds: number }> {
  const file = join(folder, `requests-${port}`)
  writeFileSync(file, Buffer.concat(requests.flatMap((one) => [Buffer.from(String(one.length).padStart(8, '0')), one])))
  try {
    const script = join(import.meta.dirname, 'wrk.lua')
    const load = ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, `http://127.0.0.1:${port}`, '--', file]
    const { stdout } = await run('wrk', load)
    const [, answered, refused, microseconds] = /answered (\d+) refused (\d+) microseconds (\d+)/.exec(stdout) ?? []
    if (answered === undefined || Number(refused) > 0)
      throw new Error(`wrk: ${refused} requests were refused\n${stdout}`)
    return { answered: Number(answered), seconds: Number(microseconds) / 1e6 }
  } finally {
    rmSync(file)
  }
}
