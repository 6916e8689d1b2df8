import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { send } from './live.ts'
import { read } from './pages.ts'
import { newWorld, type World } from './world.ts'

/** What a proxy says of the request before it. */
export const ABOUT = {
  'x-original-method': 'GET',
  'x-original-uri': '/orders/17?all=1',
  'x-forwarded-host': 'Api.Example:8443',
  'x-forwarded-proto': 'https',
} as const

export const PROXY = `Basic ${Buffer.from('demo:demo-secret').toString('base64')}`

export interface EdgeWorld extends World {
  /** The listener that is not for proxies. */
  readonly plain: string
  /** Asks as the proxy does; `undefined` leaves a field out, a list repeats it. */
  ask(
    headers: { readonly [name: string]: string | readonly string[] | undefined },
    options?: AskOptions,
  ): ReturnType<typeof send>
}

export interface AskOptions {
  readonly method?: string
  readonly path?: string
  readonly body?: string
}

/** The usual world with one endpoint for proxies more, `edge`, on real sockets; `more` are options of the endpoint. */
export async function newEdgeWorld(
  more: { readonly [option: string]: unknown } = {},
  edit?: (folder: string) => void,
): Promise<EdgeWorld> {
  const world = await newWorld({
    edit(folder) {
      const file = join(folder, 'dragoman.yaml')
      const entry = {
        ...{ name: 'edge', profile: 'jwt-to-cwt', client: 'demo', request_from: 'x-original' },
        ...{
          audience: ['https://jwt-to-cwt.beta.example'],
          subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
        },
        ...more,
      }
      // A copy of its own, for a test to change.
      writeFileSync(join(folder, 'edge.yaml'), read(`profiles/${entry.profile}.yaml`))
      const text = readFileSync(file, 'utf8')
        .replace(/^profiles: .*$/m, (line) => (edit ? 'profiles: [edge.yaml]' : line))
        .replace(/^listeners:\n(?: {2}- .*\n)+/m, 'listeners:\n  - { port: 0 }\n  - { port: 0, forward_auth: true }\n')
      writeFileSync(file, `${text}forward_auth: ${JSON.stringify([entry])}\nbatch: {}\n`)
      edit?.(folder)
    },
  })
  const { close } = world
  const [plain = '', url = ''] = await world.gateway.listen()
  return Object.assign(world, {
    plain,
    ask: (
      headers: { readonly [name: string]: string | readonly string[] | undefined },
      { method = 'GET', path = '', body }: AskOptions = {},
    ) => {
      const all = { 'client-authorization': PROXY, ...ABOUT, ...headers }
      const sent = Object.entries(all).filter(([, value]) => value !== undefined)
      return send(url, {
        method,
        path: `/forward-auth/edge${path}`,
        // Node sends a list as so many fields.
        headers: Object.fromEntries(sent) as { readonly [name: string]: string },
        ...(body !== undefined && { body }),
      })
    },
    close: async () => {
      await world.gateway.close()
      await close()
    },
  })
}
