import { allRules } from '../src/analysis/rules/index.ts'

const TOPICS: { readonly [digit: string]: string } = {
  '0': 'What cannot be loaded',
  '1': 'Who is believed',
  '2': 'How far it reaches',
  '3': 'How long it lasts',
  '4': 'What it is bound to',
  '5': 'What is never so',
  '6': 'What is told to others',
  '7': 'Secrets and doors',
  '9': 'Silencings',
}

/** The reference of the rules of `dragoman lint`. */
export function lintPage(): readonly string[] {
  const topics = Map.groupBy(allRules, ({ id }) => id.charAt('LINT-'.length))
  return [
    'What `dragoman lint` looks for: what is legal in a configuration or a profile, and gives more than seems to be meant.',
    'How to use it, with `diff`, is told in [review a change](../howto/review-a-change.md).',
    '',
    'A finding that is meant is silenced where it stands, with the reason, at the end of its line or alone above it:',
    '`# dragoman-lint-ignore any-audience: the edge verifies the audience before us`. A silencing without a reason, or',
    'without a finding, is a finding. It is for its own line only.',
    '',
    ...[...topics].flatMap(([digit, rules]) => [
      `## ${TOPICS[digit] ?? digit}`,
      '',
      ...rules.flatMap(({ id, name, finds, why, cure }) => [
        `### ${id}/${name}`,
        '',
        finds,
        '',
        `Why: ${why}`,
        '',
        `Cure: ${cure}`,
        '',
      ]),
    ]),
  ]
}
