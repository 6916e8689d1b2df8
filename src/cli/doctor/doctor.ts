import { auditToMemory } from '../../audit/index.ts'
import { createGateway } from '../../compose.ts'
import type { Configuration } from '../../config/types.ts'
import type { Extension } from '../../core/catalog.ts'
import { DragomanError } from '../../core/errors.ts'
import { problemsOf } from '../../profiles/problem.ts'
import { createFetcher } from '../../trust/index.ts'
import { type Command, configurationAsked, configurationIn, EXTENSION, exit } from '../io.ts'
import { lookAt } from '../look.ts'
import { certificateChecks, endCheck, fileChecks } from './files.ts'
import { type Checked, not, ok } from './finding.ts'
import { clockCheck, issuerChecks, portChecks } from './network.ts'

/** `dragoman doctor`: everything around the gateway that keeps it from working, each with its remedy. */
export const doctorCommand: Command = {
  name: 'doctor',
  summary: 'looks at what a gateway needs around it: clock, ports, files, issuers, certificates',
  usage: '--config FILE [--json]',
  example: 'dragoman doctor --config dragoman.yaml',
  options: [['--config FILE', 'the configuration'], EXTENSION, ['--json', 'prints one JSON object']],
  async run(args, io, more) {
    const values = configurationAsked(args)
    const checks = await examine(configurationIn(values.config, more), more)
    if (values.json) io.out(`${JSON.stringify({ checks })}\n`)
    else for (const check of checks) io.out(`${describe(check)}\n`)
    const states = new Set(checks.map(({ state }) => state))
    return states.has('wrong') ? exit.refused : states.has('outside') ? exit.outside : exit.done
  },
}

async function examine(configuration: Configuration, more: Extension): Promise<readonly Checked[]> {
  const { file, tenants } = configuration
  const clock = () => Date.now() / 1000
  const fetch = createFetcher()
  const looks = await Promise.all(
    tenants.flatMap(({ issuers = [] }) => issuers.map((entry) => lookAt(entry, { file, fetch, clock }))),
  )
  const now = clock()
  const skew = Math.min(...tenants.map(({ clock_skew: seconds = 30 }) => seconds))
  return [
    await configurationCheck(configuration, more),
    clockCheck(looks, skew),
    ...(await portChecks(configuration)),
    ...fileChecks(configuration),
    ...certificateChecks(configuration, now),
    ...looks.flatMap(({ issuer, certificates }) =>
      certificates.map((certificate) =>
        endCheck(
          `certificate of issuer ${issuer}`,
          certificate,
          now,
          'ask the issuer for its next one, add it, and reload',
        ),
      ),
    ),
    ...issuerChecks(looks),
  ]
}

async function configurationCheck(configuration: Configuration, more: Extension): Promise<Checked> {
  const what = `configuration ${configuration.file}`
  try {
    const gateway = await createGateway(configuration, { ...more, audit: auditToMemory })
    const profiles = gateway.tenants.flatMap(({ services }) => services.profiles.all)
    await gateway.close()
    return ok(what, `${profiles.length} profiles`)
  } catch (error) {
    if (!(error instanceof DragomanError)) throw error
    const [first = error.message] = problemsOf(error) ?? []
    const says = `${error.code}: ${first.split('\n', 1)[0] ?? ''}`
    return not('wrong', what, says, `dragoman validate --config ${configuration.file}`)
  }
}

const describe = ({ state, what, says, remedy }: Checked): string =>
  `${state.padEnd(8)} ${what}: ${says}${remedy === undefined ? '' : `\n         remedy: ${remedy}`}`
