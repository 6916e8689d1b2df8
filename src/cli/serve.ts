import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { createGateway, type Gateway } from '../compose.ts'
import type { Extension } from '../core/catalog.ts'
import { describeFailure } from './describe.ts'
import { beginYoung, boundYoung, collectAlone } from './heap.ts'
import { type Command, EXTENSION, exit, type Io, UsageError } from './io.ts'
import { everySecond, watchFiles } from './watch.ts'

/** `dragoman serve`: runs the gateway from a configuration file until it is told to stop. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'runs the gateway',
  usage: '--config FILE [--workers N] [--no-watch]',
  example: 'dragoman serve --config dragoman.yaml',
  options: [
    ['--config FILE', 'the configuration; see docs/reference/configuration.md'],
    ['--workers N', 'threads that serve, or auto for one on each core (default 1)'],
    EXTENSION,
    ['--no-watch', 'reads it anew on SIGHUP only, not when one of its files changes'],
  ],
  async run(args, io, more, modules) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string', short: 'c' },
        workers: { type: 'string', default: '1' },
        watch: { type: 'boolean', default: true },
      },
      allowNegative: true,
    })
    if (values.config === undefined) throw new UsageError('--config is required')
    const count = countOf(values.workers)
    beginYoung()
    collectAlone()
    const began = Date.now()
    // A defect, or what cannot be reached: where it was thrown, with the request id of its record.
    const log = (event: string, detail: object) => io.error(`${event}: ${JSON.stringify(detail)}\n`)
    const { gateway, addresses } = await (count === 1
      ? serveAlone(values.config, log, io, more)
      : serveWithWorkers(values.config, count, log, io, modules))
    // Before it says that it listens: whoever reads that may send a signal.
    const stopped = untilStopped(gateway, io, { watch: values.watch, began })
    for (const address of addresses) io.error(`listening on ${address}\n`)
    await stopped
    return exit.done
  },
}

type Log = (event: string, detail: { readonly [name: string]: unknown }) => void

async function serveAlone(configuration: string, log: Log, io: Io, more: Extension) {
  boundYoung()
  const gateway = await createGateway(configuration, { ...more, log })
  for (const warning of gateway.warnings) io.error(`warning: ${warning}\n`)
  return { gateway, addresses: await gateway.listen() }
}

async function serveWithWorkers(configuration: string, count: number, log: Log, io: Io, extensions: readonly string[]) {
  const { startWorkers } = await import('../workers/pool.ts')
  const gateway = await startWorkers(configuration, { count, log, extensions })
  for (const warning of gateway.warnings) io.error(`warning: ${warning}\n`)
  io.error(`${count} workers\n`)
  return { gateway, addresses: gateway.addresses }
}

// More than any machine has cores; what is meant for a port, say, is not taken for a number of threads.
const MAX_WORKERS = 256

function countOf(text: string): number {
  if (text === 'auto') return availableParallelism()
  const count = Number(text)
  if (!/^\d{1,3}$/.test(text) || count < 1 || count > MAX_WORKERS) {
    throw new UsageError(`--workers takes a number from 1 to ${MAX_WORKERS}, or auto`)
  }
  return count
}

/**
 * Resolves after SIGINT or SIGTERM, when what was in flight is answered. SIGHUP opens the audit file again and reads the
 * configuration anew, and so does a change of one of its files, unless `watch` is false, since it was read at `began`; a bad
 * one is told of and leaves the old one in force.
 */
export function untilStopped(
  gateway: Pick<Gateway, 'close' | 'files' | 'generation' | 'reload' | 'reopen' | 'warnings'>,
  io: Io,
  { watch = true, began }: { watch?: boolean; began?: number } = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const looks = everySecond()
    const reload = () =>
      gateway.reload().then(
        () => {
          for (const warning of gateway.warnings) io.error(`warning: ${warning}\n`)
          io.error(`configuration ${gateway.generation} is in force\n`)
        },
        (error: unknown) => {
          io.error(
            `configuration ${gateway.generation} stays in force; the new one cannot work:\n${describeFailure(error)}\n`,
          )
        },
      )
    const files = watch ? watchFiles(() => gateway.files, reload, looks, { began }) : { now: reload }
    const hangUp = () => {
      gateway.reopen()
      void files.now()
    }
    const stop = () => {
      process.off('SIGHUP', hangUp)
      looks.end()
      io.error('stopping\n')
      gateway.close().then(resolve, reject)
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    process.on('SIGHUP', hangUp)
  })
}
