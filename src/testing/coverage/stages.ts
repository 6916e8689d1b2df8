import type { TraceEntry } from '../../core/audit.ts'
import type { ErrorCode } from '../../core/errors.ts'
import type { Path } from '../../profiles/problem.ts'
import type { Stand } from '../stand.ts'
import { rule } from './acceptance.ts'
import type { Observation, Rule } from './coverage.ts'

/** The rules of the stages: that each runs, both branches of `when`, and the options that say what they show. */
export function stageRules({ document, profile }: Stand): readonly Rule[] {
  return profile.steps.flatMap(({ stage, path: place }, index): readonly Rule[] => {
    const path = ['stages', index, stage]
    const entries = ({ record }: Observation) => record.trace.filter((entry) => entry.path === place)
    const ran = (seen: Observation) => entries(seen).some(({ outcome }) => outcome !== 'skipped')
    const options = Object(document.stages[index]?.[stage]) as Options
    const when =
      document.stages[index]?.['when'] === undefined
        ? []
        : [
            rule(['stages', index, 'when'], 'true', ran),
            rule(['stages', index, 'when'], 'false', (seen) =>
              entries(seen).some(({ outcome }) => outcome === 'skipped'),
            ),
          ]
    // A certificate is always bound to its key, so that there is nothing to be seen.
    const bound = stage === 'sender_constraint' && document.accept.subject.format === 'x509'
    const shown = bound ? { ...options, require: undefined } : options
    return [...(when.length > 0 ? when : [rule(path, 'run', ran)]), ...optionRules(shown, { path, entries })]
  })
}

type Options = { readonly [name: string]: unknown }

interface Here {
  readonly path: Path
  readonly entries: (seen: Observation) => readonly TraceEntry[]
}

/** What the built-in stages say, by the names of their options. Of others it is known whether they ran. */
function optionRules(options: Options, here: Here): readonly Rule[] {
  const { path, entries } = here
  const at = (...more: Path) => [...path, ...more]
  const changes = (name: string) => (seen: Observation) =>
    entries(seen).some(({ changed = [] }) => changed.includes(name))
  const refuses = (code: ErrorCode, claim?: string) => (seen: Observation) =>
    entries(seen).some(
      ({ outcome, detail }) =>
        outcome === 'refused' && detail?.['code'] === code && (claim === undefined || detail['claim'] === claim),
    )
  const ledger =
    (claim: string, ...became: readonly string[]) =>
    ({ record }: Observation) =>
      record.result === 'issued' &&
      record.ledger?.some((entry) => entry.claim === claim && became.includes(entry.became)) === true
  const has = (name: string, rules: (value: unknown) => readonly Rule[]): readonly Rule[] =>
    options[name] === undefined ? [] : rules(options[name])
  return [
    ...has('require', (value) =>
      value === true
        ? [rule(at('require'), 'seen to refuse (ERR_PROOF_REQUIRED)', refuses('ERR_PROOF_REQUIRED'))]
        : namesIn(value).map((claim, index) =>
            rule(at('require', index), 'missed in a token', refuses('ERR_PROFILE_REQUIRED', claim)),
          ),
    ),
    ...has('conditions', (value) =>
      (value as readonly unknown[]).map((_, index) =>
        rule(at('conditions', index), 'false', (seen) =>
          entries(seen).some(({ detail }) => detail?.['path'] === `conditions[${index}]`),
        ),
      ),
    ),
    ...has('keep', (value) =>
      value === '*'
        ? []
        : namesIn(value).map((claim, index) =>
            rule(
              at('keep', index),
              'there to be kept',
              ledger(claim, 'kept', 'renamed', 'narrowed', 'converted', 'replaced', 'hashed'),
            ),
          ),
    ),
    ...has('drop', (value) =>
      namesIn(value).map((claim, index) => rule(at('drop', index), 'there to be dropped', ledger(claim, 'dropped'))),
    ),
    ...['rename', 'copy', 'set', 'types'].flatMap((option) =>
      has(option, (value) =>
        Object.entries(Object(value) as Options).map(([name, to]) =>
          rule(at(option, name), 'seen to change anything', changes(option === 'rename' ? String(to) : name)),
        ),
      ),
    ),
    ...has('lookup', (value) =>
      (Object(value) as Options)['default'] !== undefined
        ? []
        : [rule(at('lookup'), 'seen to refuse (ERR_PROFILE_LOOKUP)', refuses('ERR_PROFILE_LOOKUP'))],
    ),
    ...has('act', () => [rule(at('act'), 'seen to add an actor', changes('act'))]),
    ...has('lifetime', () => [rule(at('lifetime'), 'what ends a token', changes('exp'))]),
    ...has('max_audiences', () => [
      rule(at('max_audiences'), 'seen to refuse (ERR_PROFILE_TARGET_COUNT)', refuses('ERR_PROFILE_TARGET_COUNT')),
    ]),
    ...has('audience', (value) =>
      (Object(value) as Options)['from'] !== 'subject'
        ? []
        : [rule(at('audience', 'from'), 'seen to refuse (ERR_PROFILE_TARGET)', refuses('ERR_PROFILE_TARGET'))],
    ),
    ...has('scope', (value) => scopeRules(Object(value) as Options, here)),
    ...has('mode', (value) => (value !== 'bind' ? [] : [rule(at('mode'), 'seen to bind', changes('cnf'))])),
    ...has('rebind', () => [rule(at('rebind'), 'seen to bind to another key', changes('cnf'))]),
  ]
}

function scopeRules(scope: Options, { path, entries }: Here): readonly Rule[] {
  const { allow, default: fallback, strict } = scope
  const granted =
    (name: string) =>
    ({ record }: Observation) =>
      record.scope?.includes(name) === true
  const refused = (seen: Observation) => entries(seen).some(({ detail }) => detail?.['code'] === 'ERR_PROFILE_SCOPE')
  return [
    ...(allow === undefined
      ? []
      : namesIn(allow).map((name, index) => rule([...path, 'scope', 'allow', index], 'granted', granted(name)))),
    ...(fallback === undefined
      ? []
      : [
          rule(
            [...path, 'scope', 'default'],
            'granted without being asked for',
            ({ ask, record }) => ask.scope === undefined && (record.scope?.length ?? 0) > 0,
          ),
        ]),
    ...(allow === undefined && strict !== true
      ? []
      : [rule([...path, 'scope'], `seen to refuse (ERR_PROFILE_SCOPE)`, refused)]),
  ]
}

/** Names in a list, where each is a text, or a map that has it as `claim`. */
const namesIn = (value: unknown): readonly string[] =>
  Array.isArray(value)
    ? value.map((one: unknown) => (typeof one === 'string' ? one : String((Object(one) as Options)['claim'])))
    : []
