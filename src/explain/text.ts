import { placeText } from '../core/place.ts'
import type { Explanation, NotChosen, Output, Refusal, Step, Told } from './types.ts'
import { shown, spanText, timeText } from './words.ts'

/** An explanation as a terminal shows it. */
export function explanationText(explanation: Explanation, ledger: readonly string[] = []): string {
  const { refusal, steps, not_chosen, output, notes } = explanation
  // Of a reason code by itself there are no steps.
  const head = steps.length === 0 && refusal ? [refusal.code] : headLines(explanation)
  const lines = [
    ...head,
    ...(refusal ? refusalLines(refusal) : []),
    ...(output ? outputLines(output) : []),
    ...(ledger.length > 0 ? ['  claims', ...ledger.map((line) => `    ${line}`)] : []),
    ...(steps.length > 0 ? ['  steps', ...steps.map((step) => `    ${stepLine(step)}`)] : []),
    ...(not_chosen.length > 0 ? ['  profiles that were not chosen', ...not_chosen.flatMap(notChosenLines)] : []),
    ...notes.map((note) => `  note       ${note}`),
  ]
  return `${lines.join('\n')}\n`
}

function headLines({ result, profile, client, refusal, request_id, time, tenant }: Explanation): readonly string[] {
  const whose = `${profile?.name ?? 'no profile'} for ${client === undefined ? 'nobody' : shown(client.id)}`
  return [
    `${result.replace('_', ' ').padEnd(10)}  ${whose}${refusal ? `: ${refusal.code}` : ''}`,
    ...(request_id === undefined ? [] : [`  request    ${shown(request_id)}`]),
    `  judged by  ${time}${tenant === 'default' ? '' : `, tenant ${tenant}`}${client ? `, client by ${client.method}` : ''}`,
  ]
}

function refusalLines(refusal: Refusal): readonly string[] {
  const { step, cause, error, description } = refusal
  return [
    `  at         ${step}${refusal.place ? `, ${placeText(refusal.place)} (${refusal.place.path || 'the profile'})` : ''}`,
    `  cause      ${cause}`,
    ...toldLines(refusal, '  '),
    `  client     is told ${error}: ${description}`,
  ]
}

const toldLines = ({ expected, found, remedies }: Told, indent: string): readonly string[] => [
  ...(expected === undefined ? [] : [`${indent}expected   ${expected}`]),
  ...(found === undefined ? [] : [`${indent}found      ${found}`]),
  ...remedies.map((remedy, index) => `${indent}${index === 0 ? 'to pass  ' : '         '}  ${remedy}`),
]

const stepLine = ({ step, outcome, place, changed }: Step): string =>
  [outcome.padEnd(9), place ? `${step} (${placeText(place)})` : step, ...(changed ? [`: ${changed.join(', ')}`] : [])]
    .join(' ')
    .replace(' : ', ': ')

/** In a line what it would have taken; how to get there is in the JSON. */
const notChosenLines = ({ profile, code, place, expected }: NotChosen): readonly string[] => [
  `    ${profile}: expected ${expected ?? 'another request'}`,
  `      ${code}${place ? ` at ${placeText(place)}` : ''}`,
]

function outputLines(output: Output): readonly string[] {
  const { issued_token_type, format, kind, algorithm, key, audience, scope, expires_at, expires_in, claims } = output
  const until =
    expires_at === undefined ? [] : [`  until      ${timeText(expires_at)}, in ${spanText(expires_in ?? 0)}`]
  return [
    `  issues     ${issued_token_type} (${[format, kind].filter(Boolean).join(', ')}), signed with ${key}${algorithm ? ` by ${algorithm}` : ''}`,
    `  audience   ${audience.map(shown).join(', ')}`,
    ...(scope ? [`  scope      ${scope.map(shown).join(' ')}`] : []),
    ...until,
    `  bound by   ${output.bound_by?.join(', ') ?? 'nothing: a bearer token'}`,
    ...Object.entries(claims).map(([name, what]) => `  says       ${shown(name)}: ${shown(what)}`),
  ]
}
