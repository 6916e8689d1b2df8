import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Codec } from '../../core/codec.ts'
import { UsageError } from '../io.ts'
import type { Alpha } from './alpha.ts'
import { SHIPPED_PROFILES } from './configuration.ts'
import { makeSamples } from './samples.ts'

const SCENARIOS = join(SHIPPED_PROFILES, 'scenarios')
const PAGES = fileURLToPath(new URL('../../../docs/scenarios', import.meta.url))

/** What stands in the files of a scenario for the ports that it is run on. */
const PORTS = { http: '8080', https: '8443' }

/** Where a gateway of `dragoman dev` listens. */
export interface At {
  readonly host: string
  readonly port: number
  readonly tlsPort: number
}

/** The scenarios that ship: a folder each, with a configuration, its profiles, and what samples to make. */
export const scenarioNames = (): readonly string[] => readdirSync(SCENARIOS).sort()

/**
 * Copies a scenario's profiles into a folder and returns the files to write beside them: its configuration for these
 * ports, and its samples, made now.
 *
 * @throws UsageError when there is no such scenario
 */
export async function scenarioFiles(
  name: string,
  folder: string,
  at: At,
  codecs: readonly Codec[],
  signers: Alpha['signers'],
  now: number,
): Promise<ReadonlyMap<string, string>> {
  if (!scenarioNames().includes(name)) {
    throw new UsageError(`there is no scenario ${JSON.stringify(name)}; there are: ${scenarioNames().join(', ')}`)
  }
  const source = join(SCENARIOS, name)
  const own = ['dragoman.yaml', 'samples.yaml']
  for (const entry of readdirSync(source)) {
    if (!own.includes(entry)) cpSync(join(source, entry), join(folder, entry), { recursive: true })
  }
  const read = (file: string) => onPorts(readFileSync(join(source, file), 'utf8'), at)
  const samples = existsSync(join(source, 'samples.yaml'))
    ? await makeSamples({ file: join(source, 'samples.yaml'), text: read('samples.yaml') }, codecs, signers, now)
    : new Map<string, string>()
  return new Map([...samples, ['dragoman.yaml', read('dragoman.yaml')]])
}

/** The commands of a scenario's page, each under its heading. */
export function scenarioSteps(name: string, at: At): string {
  const page = readFileSync(join(PAGES, `${name}.md`), 'utf8')
  const steps: string[] = []
  let heading = ''
  for (const [, title, command] of page.matchAll(/^#+ ([^\n]+)$|^```sh\n(.*?)^```$/gms)) {
    if (title !== undefined) heading = title
    // What starts it has been done.
    else if (command !== undefined && !/^(?:npm|dragoman dev) /.test(command)) {
      steps.push('', ...(heading === '' ? [] : [`# ${heading}`]), onPorts(command.trimEnd(), at))
      heading = ''
    }
  }
  return steps.join('\n')
}

const onPorts = (text: string, { port, tlsPort }: At): string =>
  text.replace(new RegExp(`\\b(?:${PORTS.http}|${PORTS.https})\\b`, 'g'), (found) =>
    String(found === PORTS.http ? port : tlsPort),
  )
