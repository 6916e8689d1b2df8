import { parseArgs } from 'node:util'
import { createGateway, type Gateway } from '../compose.ts'
import { describeFailure } from './describe.ts'
import { type Command, exit, type Io, UsageError } from './io.ts'
import { everySecond, watchFiles } from './watch.ts'

/** `dragoman serve`: runs the gateway from a configuration file until it is told to stop. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'runs the gateway',
  usage: '--config FILE [--no-watch]',
  example: 'dragoman serve --config dragoman.yaml',
  options: [
    ['--config FILE', 'the configuration; see docs/reference/configuration.md'],
    ['--no-watch', 'reads it anew on SIGHUP only, not when one of its files changes'],
  ],
  async run(args, io) {
    const { values } = parseArgs({
      args: [...args],
      options: { config: { type: 'string', short: 'c' }, watch: { type: 'boolean', default: true } },
      allowNegative: true,
    })
    if (values.config === undefined) throw new UsageError('--config is required')
    const gateway = await createGateway(values.config, {
      // A defect, or what cannot be reached: where it was thrown, with the request id of its record.
      log: (event, detail) => io.error(`${event}: ${JSON.stringify(detail)}\n`),
    })
    for (const warning of gateway.warnings) io.error(`warning: ${warning}\n`)
    const addresses = await gateway.listen()
    // Before it says that it listens: whoever reads that may send a signal.
    const stopped = untilStopped(gateway, io, { watch: values.watch })
    for (const address of addresses) io.error(`listening on ${address}\n`)
    await stopped
    return exit.done
  },
}

/**
 * Resolves after SIGINT or SIGTERM, when what was in flight is answered. SIGHUP opens the audit file again and reads the
 * configuration anew, and so does a change of one of its files, unless `watch` is false; a bad one is told of and leaves the
 * old one in force.
 */
export function untilStopped(
  gateway: Pick<Gateway, 'close' | 'files' | 'generation' | 'reload' | 'reopen' | 'warnings'>,
  io: Io,
  { watch = true }: { watch?: boolean } = {},
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
    const files = watch ? watchFiles(() => gateway.files, reload, looks) : { now: reload }
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
