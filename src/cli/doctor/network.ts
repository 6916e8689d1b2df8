import { createServer } from 'node:net'
import type { Configuration } from '../../config/types.ts'
import type { IssuerLook } from '../look.ts'
import { duration } from '../time.ts'
import { type Checked, not, ok } from './finding.ts'

/** Whether each listener's port can be had. */
export async function portChecks({ listeners }: Configuration): Promise<readonly Checked[]> {
  const checks: Checked[] = []
  for (const { host = '127.0.0.1', port } of listeners) {
    if (port !== 0) checks.push(await portCheck(host, port))
  }
  return checks
}

function portCheck(host: string, port: number): Promise<Checked> {
  const what = `port ${host}:${port}`
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(notFree(what, error.code ?? 'unknown')))
    server.listen(port, host, () => server.close(() => resolve(ok(what, 'free'))))
  })
}

function notFree(what: string, code: string): Checked {
  switch (code) {
    case 'EADDRINUSE':
      return not(
        'outside',
        what,
        'in use',
        'stop what listens there (this gateway, when it runs), or take another port',
      )
    case 'EACCES':
      return not('wrong', what, 'not allowed', 'take a port above 1023, or let the process have CAP_NET_BIND_SERVICE')
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return not('wrong', what, 'this machine has no such address', 'name an address of this machine in `host`')
    default:
      return not('outside', what, code, 'look at the network of this machine')
  }
}

/** Whether each issuer can be asked. */
export const issuerChecks = (looks: readonly IssuerLook[]): readonly Checked[] =>
  looks.map(({ issuer, error, keys, certificates, outside, source }) => {
    const what = `issuer ${issuer}`
    if (error === undefined)
      return ok(what, `${counted(keys, 'key')}, ${counted(certificates, 'certificate')} (${source})`)
    const remedy = outside
      ? 'reach it from here: name, route, proxy, TLS authority; `dragoman issuers` asks it again'
      : 'put it right in the configuration; `dragoman validate` says where'
    return not(outside ? 'outside' : 'wrong', what, error, remedy)
  })

const counted = ({ length }: readonly unknown[], what: string): string => `${length} ${what}${length === 1 ? '' : 's'}`

// HTTP says the second only, and an answer takes its time.
const UNSURE = 5

/** Our clock against those of the issuers' servers. `skew`: seconds that tokens may differ by. */
export function clockCheck(looks: readonly IssuerLook[], skew: number): Checked {
  const known = looks.flatMap(({ ahead }) => ahead ?? []).sort((left, right) => left - right)
  const median = known[Math.floor(known.length / 2)]
  if (median === undefined) return ok('clock', 'not compared: no issuer is asked over the network')
  const off = Math.abs(median)
  if (off <= UNSURE) return ok('clock', `as that of ${counted(known, 'issuer')}, within ${UNSURE} seconds`)
  const says = `${median > 0 ? 'behind' : 'ahead of'} that of ${counted(known, 'issuer')} by ${duration(off)}`
  const remedy = 'let NTP set it: with a wrong clock good tokens are refused, and expired ones taken'
  return not(off <= skew ? 'warning' : 'wrong', 'clock', says, remedy)
}
