import { assertAnswer } from './answer.ts'
import type { Case } from './cases.ts'
import { closedLoop, connections } from './load.ts'
import { cpuOf, pair, workOf } from './machine.ts'
import type { Row } from './report.ts'

const CONNECTIONS = 16
// Beyond what a second can use up.
const REQUESTS = 9000

/** Where the gateway of the cases is. */
export interface Place {
  readonly pid: number
  readonly port: number
}

/** One value of what a gateway measures, or the sum of those with these labels. */
export async function metric(port: number, name: string, labels: readonly string[] = []): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return text
    .split('\n')
    .filter((line) => line.startsWith(name) && /^[ {]/.test(line.slice(name.length)))
    .filter((line) => labels.every((label) => line.includes(label)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0)
}

/** Looks whether a case comes to what it claims. @throws Error that says what it comes to */
export async function look(one: Case, gateway: Place): Promise<void> {
  const { port, jwks } = one.server?.() ?? { port: gateway.port, jwks: '/jwks' }
  const [socket] = await connections(one.shown ? port + 1 : port, 1, one.shown)
  if (socket === undefined) return
  const { status, body } = await socket.ask(await one.request())
  socket.destroy()
  if (status !== 200) throw new Error(`${one.name}: ${status} ${body}`)
  try {
    if (one.claimed) await assertAnswer(body, one.claimed, { port, jwks })
  } catch (cause) {
    throw new Error(`${one.name} does not come to what it claims: ${String(cause)}`, { cause })
  }
}

/**
 * Loads a server with one case, in a closed loop, and takes what it cost.
 *
 * @throws Error where anything was refused, or where the gateway issued another number of tokens than were asked for
 */
export async function burst(
  one: Case,
  gateway: Place,
  { seconds, requests = one.requests ?? REQUESTS }: { readonly seconds: number; readonly requests?: number },
): Promise<Row> {
  const ours = () => ({ cpu: () => cpuOf(gateway.pid), port: gateway.port + (one.shown ? 1 : 0) })
  const { cpu, port } = one.server?.() ?? ours()
  const issued = () =>
    one.profile === undefined
      ? 0
      : metric(gateway.port, 'dragoman_exchanges_total', [`profile="${one.profile}"`, 'result="issued"'])
  const made = await Promise.all(Array.from({ length: one.repeat ?? requests }, () => one.request()))
  const sockets = await connections(port, one.connections ?? CONNECTIONS, one.shown)
  const issuedBefore = await issued()
  const before = pair()
  const used = cpu()
  const worked = workOf()
  const result = await closedLoop(sockets, made, { seconds, once: one.repeat === undefined })
  const own = cpu() - used
  const foreign = Math.max(0, workOf() - worked - own)
  const unit = (before + pair()) / 2
  for (const socket of sockets) socket.destroy()
  if (result.refused > 0) throw new Error(`${one.name}: ${result.refused} requests were refused`)
  const answered = result.answered * (one.items ?? 1)
  const counted = (await issued()) - issuedBefore
  if (one.profile !== undefined && counted !== answered) {
    throw new Error(`${one.name}: ${answered} answers, but ${counted} tokens issued under ${one.profile}`)
  }
  return {
    pairs: own / answered / unit,
    unit,
    rate: answered / result.seconds,
    answered,
    foreign: foreign / result.seconds,
  }
}
