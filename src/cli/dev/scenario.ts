import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Codec } from '../../core/codec.ts'
import { TEST_FILE } from '../../testing/read.ts'
import { UsageError } from '../io.ts'
import type { Alpha } from './alpha.ts'
import { SHIPPED_PROFILES } from './configuration.ts'
import { makeSamples } from './samples.ts'

const SCENARIOS = join(SHIPPED_PROFILES, 'scenarios')
const PAGES = fileURLToPath(new URL('../../../docs/scenarios', import.meta.url))

/** Describes the samples; is not itself copied. */
const SAMPLES = 'samples.yaml'

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
 * The files of a scenario to write into a folder, whose subfolders are made: its configuration and profiles for these
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
  // Its tests stay: what they expect has its own ports in it.
  const entries = readdirSync(source, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && !TEST_FILE.test(entry.name),
  )
  const files = new Map(
    entries.map(({ parentPath, name: file }) => {
      const path = join(parentPath, file)
      return [relative(source, path), onPorts(readFileSync(path, 'utf8'), at)]
    }),
  )
  for (const file of files.keys()) mkdirSync(dirname(join(folder, file)), { recursive: true })
  const description = files.get(SAMPLES)
  files.delete(SAMPLES)
  if (description === undefined) return files
  const samples = await makeSamples({ file: join(source, SAMPLES), text: description }, codecs, signers, now)
  return new Map([...samples, ...files])
}

/** The commands of a scenario's page, each under its heading, or under the words in bold that its paragraph begins with. */
export function scenarioSteps(name: string, at: At): string {
  const page = readFileSync(join(PAGES, `${name}.md`), 'utf8')
  const steps: string[] = []
  let heading = ''
  for (const [, title, bold, command] of page.matchAll(/^#+ ([^\n]+)$|^\*\*([^*]+)\*\*|^```sh\n(.*?)^```$/gms)) {
    const words = title ?? bold
    if (words !== undefined) heading = words
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
