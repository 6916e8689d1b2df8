import { describedMetrics } from '../src/gateway/metrics.ts'

/** What the values of a label are. None of them is chosen by a caller. */
const LABELS: { readonly [label: string]: string } = {
  tenant: 'name of the tenant; `default` where there is one',
  profile: 'name of the profile',
  result: 'of an exchange `issued` or `refused`; of a reload `succeeded` or `failed`',
  code: 'a reason code, see [errors](../errors.md)',
  direction: '`in`: subject tokens that were taken; `out`: tokens that were given',
  format: '`jwt`, `cwt`, `x509`, or a format of your own',
  algorithm: 'of the signature, such as `ES256`',
  issuer: 'an issuer of the configuration',
  endpoint: 'name of an entry of `forward_auth`',
  status: 'the HTTP status of the answer',
  state: '`wanted`: as many as were asked for; `serving`: as many as serve',
}

/** The reference of the metrics, from the metrics themselves. */
export function metricsPage(): readonly string[] {
  const metrics = describedMetrics().toSorted((left, right) => left.name.localeCompare(right.name))
  const used = [...new Set(metrics.flatMap(({ labels }) => labels))].sort()
  return [
    'What `/metrics` shows, in the text format of Prometheus. Which of them are worth an alert is told in',
    '[operations](../operations.md#metrics).',
    '',
    '| Name | Type | Labels | Is |',
    '| --- | --- | --- | --- |',
    ...metrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    ),
    '',
    'And those of the process and of Node (`process_`, `nodejs_`). `dragoman_workers` and `dragoman_worker_restarts_total` are',
    'there with `serve --workers`.',
    '',
    '## Labels',
    '',
    'No label holds what a caller chooses.',
    '',
    '| Label | Values |',
    '| --- | --- |',
    ...used.map((label) => `| \`${label}\` | ${meaning(label)} |`),
    '',
  ]
}

function meaning(label: string): string {
  const text = LABELS[label]
  if (text === undefined) throw new TypeError(`what the label ${label} is`)
  return text
}
