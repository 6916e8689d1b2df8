import type { LookupAddress } from 'node:dns'
import { setGlobalProxyFromEnv } from 'node:http'
import { createServer, type LookupFunction } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createFetcher, type FetchOptions } from '../../src/trust/index.ts'
import { dns, httpServer, httpsServer, ip, json, status, webAuthority } from '../support/servers.ts'

const OPTIONS: FetchOptions = { timeout: 10, maxBytes: 1024, allowPrivateAddresses: true }
const fetch = createFetcher()

const failure = (name: string) => expect.objectContaining({ failure: name })

/** A resolver that gives these addresses for every name, one list for each question, the last one again and again. */
function resolver(...answers: readonly (readonly string[])[]) {
  const asked: string[] = []
  const lookup: LookupFunction = (name, _, callback) => {
    const addresses = answers[Math.min(asked.length, answers.length - 1)] ?? []
    asked.push(name)
    const all: LookupAddress[] = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    callback(null, all)
  }
  return { asked, lookup }
}

describe('a fetch', () => {
  it('brings body, ETag, max-age, and what the clock of the server says', async () => {
    const date = 'Tue, 01 Sep 2026 12:00:00 GMT'
    const server = await httpServer(json({ keys: [] }, { etag: '"v1"', 'cache-control': 'public, max-age=120', date }))
    const fetched = await fetch(`${server.origin}/keys`, OPTIONS)
    expect(fetched).toEqual({
      status: 200,
      body: Buffer.from('{"keys":[]}'),
      etag: '"v1"',
      maxAge: 120,
      date: 1_788_264_000,
    })
  })

  it.each([
    [undefined, undefined],
    ['max-age=0', 0],
    ['s-maxage=900', undefined],
    ['s-maxage=900, MAX-AGE=60', 60],
    ['max-age=60,must-revalidate', 60],
    ['no-store', 0],
    ['max-age=900, no-cache', 0],
    ['private, max-age=abc', undefined],
    ['max-age=99999999999', undefined],
    ['max-age=-5', undefined],
    ['x-max-age=9', undefined],
  ])('reads Cache-Control %s as %s seconds', async (header, expected) => {
    const server = await httpServer(json({}, header === undefined ? {} : { 'cache-control': header }))
    expect((await fetch(server.origin, OPTIONS)).maxAge).toBe(expected)
  })

  it('counts from max-age the time that a cache on the way has kept the answer', async () => {
    const server = await httpServer(json({}, { 'cache-control': 'max-age=300', age: '290' }))
    expect((await fetch(server.origin, OPTIONS)).maxAge).toBe(10)
    const old = await httpServer(json({}, { 'cache-control': 'max-age=300', age: '400' }))
    expect((await fetch(old.origin, OPTIONS)).maxAge).toBe(0)
  })

  it('sends If-None-Match only with an ETag, and takes 304 for an answer then', async () => {
    const server = await httpServer((request, response) => {
      response.writeHead(request.headers['if-none-match'] === '"v1"' ? 304 : 200, { etag: '"v1"' })
      response.end()
    })
    expect((await fetch(server.origin, OPTIONS)).status).toBe(200)
    expect((await fetch(server.origin, { ...OPTIONS, etag: '"v1"' })).status).toBe(304)
    expect(server.requests.map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"v1"'])
  })

  it('refuses a 304 that nobody asked for', async () => {
    const server = await httpServer(status(304))
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('status'))
  })

  it('sends no cookies and no credentials, also none that stand in the URL', async () => {
    const server = await httpServer(json({}, { 'set-cookie': 'a=b' }))
    const url = server.origin.replace('//', '//user:secret@')
    await fetch(url, OPTIONS)
    await fetch(url, OPTIONS)
    for (const { headers } of server.requests) {
      expect(Object.keys(headers).sort()).toEqual(['accept', 'connection', 'host'])
    }
  })

  it('goes past a proxy that the environment names', async () => {
    const proxy = await httpServer(status(502))
    onTestFinished(setGlobalProxyFromEnv({ HTTP_PROXY: proxy.origin, NO_PROXY: '' }))
    const server = await httpServer(json({}))
    expect((await fetch(server.origin, OPTIONS)).status).toBe(200)
    expect(proxy.requests).toHaveLength(0)
  })

  it.each([201, 203, 204, 206, 400, 401, 404, 429, 500, 503])('refuses the status %i', async (code) => {
    const server = await httpServer(status(code, code === 204 ? '' : '{"keys":[]}'))
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('status'))
  })

  it('refuses a server that is not there', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server.address()
    await new Promise((resolve) => server.close(resolve))
    const port = typeof address === 'object' ? address?.port : undefined
    await expect(fetch(`http://127.0.0.1:${port}/`, OPTIONS)).rejects.toThrow(failure('unreachable'))
  })

  it('refuses a connection that ends in the middle of the answer', async () => {
    const server = await httpServer((_, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{"keys":')
      setImmediate(() => response.destroy())
    })
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('unreachable'))
  })
})

describe('limits', () => {
  it('takes an answer of exactly the largest size, and none that is larger', async () => {
    const server = await httpServer((request, response) => response.end('x'.repeat(Number(request.url?.slice(1)))))
    expect((await fetch(`${server.origin}/1024`, OPTIONS)).body).toHaveLength(1024)
    await expect(fetch(`${server.origin}/1025`, OPTIONS)).rejects.toThrow(failure('too large'))
  })

  it('stops reading an answer without end and closes the connection', async () => {
    let closed: () => void = () => {}
    const hungUp = new Promise<void>((resolve) => {
      closed = resolve
    })
    const server = await httpServer((_, response) => {
      const more = (): void => {
        while (response.write('x'.repeat(1024)));
      }
      response.on('drain', more)
      response.on('close', closed)
      more()
    })
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('too large'))
    await hungUp
  })

  it.each([
    ['never answers', () => {}],
    [
      'sends its answer drop by drop',
      (_: unknown, response: import('node:http').ServerResponse) => {
        const timer = setInterval(() => response.write(' '), 20)
        response.on('close', () => clearInterval(timer))
      },
    ],
  ])('gives up on a server that %s', async (_, handler) => {
    const server = await httpServer(handler)
    await expect(fetch(server.origin, { ...OPTIONS, timeout: 0.2 })).rejects.toThrow(failure('timeout'))
  })

  it('has one time for all redirects together', async () => {
    const server = await httpServer((request, response) => {
      if (request.url !== '/first') return
      response.writeHead(302, { location: '/second' }).end()
    })
    await expect(fetch(`${server.origin}/first`, { ...OPTIONS, timeout: 0.2 })).rejects.toThrow(failure('timeout'))
    expect(server.requests.map(({ url }) => url)).toEqual(['/first', '/second'])
  })
})

describe('redirects', () => {
  const to = (location: string) => status(302, '', { location })

  it.each([301, 302, 303, 307, 308])('follows %i within the origin', async (code) => {
    const server = await httpServer((request, response) => {
      if (request.url === '/new') return json({ keys: [] })(request, response)
      status(code, '', { location: '/new' })(request, response)
    })
    expect((await fetch(`${server.origin}/old`, OPTIONS)).status).toBe(200)
  })

  it('follows two and no third', async () => {
    const server = await httpServer((request, response) => {
      const hop = Number(request.url?.slice(1))
      if (hop === 0) return json({})(request, response)
      to(`/${hop - 1}`)(request, response)
    })
    expect((await fetch(`${server.origin}/2`, OPTIONS)).status).toBe(200)
    await expect(fetch(`${server.origin}/3`, OPTIONS)).rejects.toThrow(failure('redirect'))
  })

  it('BD-71 refuses one to another origin, without asking there', async () => {
    const other = await httpServer(json({ keys: [] }))
    const server = await httpServer(to(`${other.origin}/keys`))
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('redirect'))
    expect(other.requests).toHaveLength(0)
  })

  it.each(['http://localhost:PORT/', 'https://127.0.0.1:PORT/', '//evil.example/', 'file:///etc/passwd', 'http://'])(
    'refuses one to %s',
    async (location) => {
      const server = await httpServer((request, response) => {
        to(location.replace('PORT', String(request.socket.localPort)))(request, response)
      })
      await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('redirect'))
    },
  )

  it('refuses one without a location', async () => {
    const server = await httpServer(status(302))
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('redirect'))
  })

  it('does not take credentials from one', async () => {
    const server = await httpServer((request, response) => {
      if (request.url === '/new') return json({})(request, response)
      to(`http://user:secret@${request.headers.host}/new`)(request, response)
    })
    await fetch(server.origin, OPTIONS)
    expect(server.requests[1]?.headers.authorization).toBeUndefined()
  })
})

describe('JB-12 where it may connect to', () => {
  const guarded: FetchOptions = { ...OPTIONS, allowPrivateAddresses: false }

  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://10.0.0.1/',
    'https://169.254.169.254/latest/meta-data',
    'https://0/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:a9fe:a9fe]/',
    'https://[::]/',
    'https://[fd00:ec2::254]/',
    'https://[fe80::1]/',
    'https://[64:ff9b::7f00:1]/',
  ])('refuses the address in %s', async (url) => {
    await expect(fetch(url, guarded)).rejects.toThrow(failure('address not allowed'))
  })

  it('refuses a name of a private address, and connects to nothing', async () => {
    const server = await httpsServer(json({}), { issuer: webAuthority() })
    const { asked, lookup } = resolver(['127.0.0.1'])
    const url = `https://keys.example:${server.port}/`
    await expect(createFetcher({ lookup })(url, guarded)).rejects.toThrow(failure('address not allowed'))
    expect(asked).toEqual(['keys.example'])
    expect(server.requests).toHaveLength(0)
  })

  it.each([
    ['one private address among public ones', ['203.0.114.1', '10.0.0.1']],
    ['a private IPv6 address beside a public IPv4 one', ['203.0.114.1', 'fd00::1']],
    ['an IPv4 address in IPv6 form', ['::ffff:127.0.0.1']],
    ['no address at all', []],
    ['what is no address', ['localhost']],
  ])('refuses a name with %s', async (_, addresses) => {
    const { lookup } = resolver(addresses)
    await expect(createFetcher({ lookup })('https://keys.example/', guarded)).rejects.toThrow(
      failure('address not allowed'),
    )
  })

  it('refuses a name that answers otherwise the second time: the address asked for is the one connected to', async () => {
    // Only loopback can be reached from a test, so that it stands for the public internet here.
    const server = await httpServer(status(302, '', { location: '/again' }))
    const { asked, lookup } = resolver(['127.0.0.1'], ['192.168.1.1'])
    await expect(createFetcher({ lookup })(`http://keys.example:${server.port}/`, OPTIONS)).rejects.toThrow(
      failure('address not allowed'),
    )
    expect(asked).toEqual(['keys.example', 'keys.example'])
    expect(server.requests).toHaveLength(1)
  })

  it('hands the resolver’s answer to the socket: one question for one connection', async () => {
    const server = await httpServer(json({}))
    const { asked, lookup } = resolver(['127.0.0.1'])
    await createFetcher({ lookup })(`http://keys.example:${server.port}/`, OPTIONS)
    expect(asked).toEqual(['keys.example'])
    expect(server.requests[0]?.headers.host).toBe(`keys.example:${server.port}`)
  })

  it('passes on that a name is not known', async () => {
    const lookup: LookupFunction = (_, __, callback) =>
      callback(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }), '', 0)
    await expect(createFetcher({ lookup })('https://keys.example/', guarded)).rejects.toThrow(failure('unreachable'))
  })

  it.each([
    ['http where private addresses are not allowed', 'http://127.0.0.1/', guarded],
    ['http to a public address', 'http://203.0.114.1/', OPTIONS],
    ['http to a private address', 'http://10.0.0.1/', OPTIONS],
    ['http to a private IPv6 address', 'http://[fd00::1]/', OPTIONS],
    ['another scheme', 'ftp://127.0.0.1/', OPTIONS],
    ['a file', 'file:///etc/passwd', OPTIONS],
    ['data', 'data:application/json,{}', OPTIONS],
  ])('refuses %s', async (_, url, options) => {
    await expect(fetch(url, options)).rejects.toThrow(failure('not https'))
  })

  it('refuses http to a name of anything but loopback', async () => {
    const { lookup } = resolver(['10.0.0.1'])
    await expect(createFetcher({ lookup })('http://keys.example/', OPTIONS)).rejects.toThrow(
      failure('address not allowed'),
    )
  })

  it('refuses what is no URL', async () => {
    await expect(fetch('keys', OPTIONS)).rejects.toThrow(failure('not https'))
  })
})

describe('MD-10 the certificate of the server', () => {
  it('comes from the configured authority and has the name', async () => {
    const issuer = webAuthority()
    const server = await httpsServer(json({ keys: [] }), { issuer, names: [dns('keys.example'), ip(127, 0, 0, 1)] })
    const options = { ...OPTIONS, certificateAuthority: issuer.pem }
    expect((await fetch(server.origin, options)).status).toBe(200)
    const { lookup } = resolver(['127.0.0.1'])
    expect((await createFetcher({ lookup })(`https://keys.example:${server.port}/`, options)).status).toBe(200)
  })

  it.each([
    ['of an authority that nobody configured', undefined],
    ['of another authority than the configured one', webAuthority('Other CA').pem],
  ])('is refused when it is %s', async (_, certificateAuthority) => {
    const server = await httpsServer(json({}), { issuer: webAuthority() })
    await expect(fetch(server.origin, { ...OPTIONS, certificateAuthority })).rejects.toThrow(failure('TLS'))
    expect(server.requests).toHaveLength(0)
  })

  it('is refused when it has another name', async () => {
    const issuer = webAuthority()
    const server = await httpsServer(json({}), { issuer, names: [dns('other.example')] })
    const options = { ...OPTIONS, certificateAuthority: issuer.pem }
    const { lookup } = resolver(['127.0.0.1'])
    const refused = createFetcher({ lookup })(`https://keys.example:${server.port}/`, options)
    await expect(refused).rejects.toThrow(failure('TLS'))
    await expect(fetch(server.origin, options)).rejects.toThrow(failure('TLS'))
    expect(server.requests).toHaveLength(0)
  })

  it('is asked for whatever the environment says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0')
    onTestFinished(() => void vi.unstubAllEnvs())
    const server = await httpsServer(json({}), { issuer: webAuthority() })
    await expect(fetch(server.origin, OPTIONS)).rejects.toThrow(failure('TLS'))
  })

  it('is missing where the server speaks no TLS', async () => {
    const server = await httpServer(json({}))
    await expect(fetch(server.origin.replace('http:', 'https:'), OPTIONS)).rejects.toThrow(failure('TLS'))
  })
})

describe('S-12 nothing that an answer held is in an error', () => {
  const SECRET = 'c2VjcmV0'

  async function raw(bytes: string): Promise<string> {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end(bytes))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const address = server.address()
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/`
  }

  it.each([
    ['an error page', `HTTP/1.1 500 ${SECRET}\r\nx: ${SECRET}\r\ncontent-length: 8\r\n\r\n${SECRET}`],
    ['what is no HTTP', `${SECRET} ${SECRET}\r\n\r\n`],
    ['a broken header', `HTTP/1.1 200 OK\r\n${SECRET}\0: 1\r\n\r\n`],
    ['a redirect', `HTTP/1.1 302 Found\r\nlocation: https://${SECRET}.example/\r\n\r\n`],
    ['a change of protocol', `HTTP/1.1 101 ${SECRET}\r\nconnection: upgrade\r\nupgrade: ${SECRET}\r\n\r\n`],
    ['too much', `HTTP/1.1 200 OK\r\n\r\n${SECRET.repeat(1000)}`],
    ['a broken chunk', `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${SECRET}\r\n`],
    ['too long a header', `HTTP/1.1 200 OK\r\nx: ${SECRET.repeat(10_000)}\r\n\r\n`],
  ])('of %s', async (_, bytes) => {
    const error: unknown = await fetch(await raw(bytes), OPTIONS).catch((caught) => caught)
    expect(error).toBeInstanceOf(Error)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(SECRET)
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('63 32 56 6a')
  })

  it('of a certificate', async () => {
    const issuer = webAuthority()
    const server = await httpsServer(json({}), { issuer, names: [dns('secret.example')] })
    const error: unknown = await fetch(server.origin, { ...OPTIONS, certificateAuthority: issuer.pem }).catch(
      (caught) => caught,
    )
    expect(error).toEqual(failure('TLS'))
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('secret')
  })
})
