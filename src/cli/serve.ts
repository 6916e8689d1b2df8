import { parseArgs } from 'node:util'
import { createGateway } from '../index.ts'
import { type Command, exit, type Io, UsageError } from './io.ts'

/** `dragoman serve`: runs the gateway from a configuration file until it is told to stop. */
export const serveCommand: Command = {
  name: 'serve',
  summary: 'runs the gateway',
  usage: '--config FILE',
  example: 'dragoman serve --config dragoman.yaml',
  options: [['--config FILE', 'the configuration; see docs/reference/configuration.md']],
  async run(args, io) {
    const { values } = parseArgs({ args: [...args], options: { config: { type: 'string', short: 'c' } } })
    if (values.config === undefined) throw new UsageError('--config is required')
    const gateway = await createGateway(values.config)
    for (const warning of gateway.warnings) io.error(`warning: ${warning}\n`)
    const addresses = await gateway.listen()
    for (const address of addresses) io.error(`listening on ${address}\n`)
    await untilStopped(gateway, io)
    return exit.done
  },
}

/** Resolves after SIGINT or SIGTERM, when what was in flight is answered; SIGHUP opens the audit file again. */
export function untilStopped(gateway: { close(): Promise<void>; reopen(): void }, io: Io): Promise<void> {
  return new Promise((resolve, reject) => {
    const reopen = () => gateway.reopen()
    const stop = () => {
      process.off('SIGHUP', reopen)
      io.error('stopping\n')
      gateway.close().then(resolve, reject)
    }
    process.once('SIGINT', stop)
    process.once('SIGTERM', stop)
    process.on('SIGHUP', reopen)
  })
}
