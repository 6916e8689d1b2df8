import { parseArgs } from 'node:util'
import type { Finding } from '../analysis/finding.ts'
import { lint } from '../analysis/lint.ts'
import { modeOf } from '../config/secret-files.ts'
import { type Command, EXTENSION, exit, UsageError } from './io.ts'

/** `dragoman lint`: what a configuration or a profile gives beyond what seems to be meant. */
export const lintCommand: Command = {
  name: 'lint',
  summary: 'looks for privilege in a configuration and its profiles: what is legal, and gives more than seems meant',
  usage: '--config FILE | PROFILE... [--internal DOMAIN] [--json]',
  example: 'dragoman lint --config dragoman.yaml',
  options: [
    ['--config FILE', 'the configuration; its profiles are looked at with it'],
    ['PROFILE', 'a profile or a folder of profiles, looked at alone'],
    ['--internal DOMAIN', 'a trust domain whose identifiers must not leave; may be repeated'],
    EXTENSION,
    ['--json', 'prints one JSON object: findings, and what is silenced with its reason'],
  ],
  async run(args, io, more) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: 'string', short: 'c' },
        internal: { type: 'string', multiple: true, default: [] },
        json: { type: 'boolean', default: false },
      },
    })
    const places = [...(values.config === undefined ? [] : [values.config]), ...positionals]
    if (places.length === 0) throw new UsageError('--config, or a profile, is required')
    const { findings, silenced } = await lint(places, { internal: values.internal, mode: modeOf, more })
    if (values.json) io.out(`${JSON.stringify({ findings: findings.map(members), silenced: silenced.map(members) })}\n`)
    else for (const finding of findings) io.out(`${describe(finding)}\n`)
    const count = findings.length === 0 ? 'nothing found' : `${findings.length} found`
    io.error(`${count}${silenced.length > 0 ? `, ${silenced.length} silenced with a reason` : ''}\n`)
    return findings.length === 0 ? exit.done : exit.refused
  },
}

const describe = ({ rule, file, line, column, path, says, excerpt }: Finding): string =>
  [
    `${file}:${line}:${column}: ${rule.id}/${rule.name}: ${path === '' ? '' : `${path}: `}${says}`,
    ...(excerpt === '' ? [] : [excerpt]),
    `  why:     ${rule.why}`,
    `  cure:    ${rule.cure}`,
    ...(rule.id.startsWith('LINT-0') || rule.id.startsWith('LINT-9')
      ? []
      : [`  silence: # dragoman-lint-ignore ${rule.name}: the reason, on this line or alone above it`]),
    '',
  ].join('\n')

const members = ({ rule, ...rest }: Finding & { readonly reason?: string }) => ({
  rule: `${rule.id}/${rule.name}`,
  ...rest,
  why: rule.why,
  cure: rule.cure,
})
