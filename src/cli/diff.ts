import { parseArgs } from 'node:util'
import { diff } from '../analysis/diff/diff.ts'
import type { Change, Direction } from '../analysis/diff/fact.ts'
import { analysisTools } from '../analysis/reading.ts'
import { type Command, EXTENSION, exit, UsageError } from './io.ts'

/** What makes the command fail, for a pipeline. */
const FAIL_ON: { readonly [when: string]: readonly Direction[] } = {
  widened: ['gained', 'both'],
  any: ['gained', 'both', 'lost', 'other'],
  never: [],
}

const HEADINGS: readonly (readonly [Direction, string])[] = [
  ['gained', 'can be had now, and could not before'],
  ['both', 'is decided otherwise, so that somebody may gain'],
  ['lost', 'can no longer be had'],
  ['other', 'is otherwise, and nobody gains'],
]

/** `dragoman diff`: who can get what by a change, in words. */
export const diffCommand: Command = {
  name: 'diff',
  summary: 'says in words who can get what under one configuration and could not under another, and the reverse',
  usage: 'OLD NEW [--fail-on widened|any|never] [--json]',
  example: 'dragoman diff main/profiles profiles',
  options: [
    ['OLD', 'a configuration, a profile or a folder of profiles, as it was'],
    ['NEW', 'the same, as it is to be'],
    ['--fail-on WHEN', 'exits with 1 when something is widened (default), on any difference, or never'],
    EXTENSION,
    ['--json', 'prints one JSON object: the differences by what they mean, each with its place'],
  ],
  async run(args, io, extension) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { 'fail-on': { type: 'string', default: 'widened' }, json: { type: 'boolean', default: false } },
    })
    const [before, now, more] = positionals
    if (before === undefined || now === undefined || more !== undefined)
      throw new UsageError('OLD and NEW are required')
    const when = values['fail-on']
    const failing = Object.hasOwn(FAIL_ON, when) ? FAIL_ON[when] : undefined
    if (failing === undefined) throw new UsageError(`--fail-on takes ${Object.keys(FAIL_ON).join(', ')}`)
    const changes = await diff(before, now, analysisTools(extension))
    io.out(values.json ? `${JSON.stringify(grouped(changes))}\n` : text(changes))
    return changes.some(({ direction }) => failing.includes(direction)) ? exit.refused : exit.done
  },
}

const grouped = (changes: readonly Change[]) =>
  Object.fromEntries(HEADINGS.map(([direction]) => [direction, changes.filter((one) => one.direction === direction)]))

function text(changes: readonly Change[]): string {
  if (changes.length === 0) return 'nothing changes\n'
  return HEADINGS.flatMap(([direction, heading]) => {
    const own = changes.filter((one) => one.direction === direction)
    return own.length === 0 ? [] : [`${heading}:\n`, ...own.map((one) => `  ${sentence(one)}\n`)]
  }).join('')
}

/** With the place, unless the sentence has it. */
const sentence = ({ says, file, line }: Change): string =>
  says.endsWith(`(${file}:${line})`) ? says : `${says} (${file}:${line})`
