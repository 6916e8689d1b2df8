import { describe, expect, it } from 'vitest'
import { algorithms, cryptoKey, verifySignature } from '../../src/core/algorithms.ts'
import { type Pool, signerOf, signingPool } from '../../src/keys/signer.ts'
import { privateKeysIn, shows } from '../support/contract.ts'
import { algorithm, authority, testKey } from '../support/x509.ts'

/** Work that ends when the test says so. */
function gated() {
  const started: number[] = []
  const ends: (() => void)[] = []
  const work = (n: number) => () => {
    started.push(n)
    return new Promise<number>((resolve) => {
      ends[n] = () => resolve(n)
    })
  }
  return { started, work, end: (n: number) => ends[n]?.() }
}

const turn = () => new Promise((resolve) => setImmediate(resolve))

describe('the signing pool', () => {
  it('runs a few at a time, in the order in which they came', async () => {
    const pool = signingPool({ inPool: 2 })
    const { started, work, end } = gated()
    const results = [0, 1, 2, 3, 4].map((n) => pool.run(work(n)))
    await turn()
    expect(started).toEqual([0, 1])
    end(1)
    await turn()
    expect(started).toEqual([0, 1, 2])
    end(2)
    end(0)
    await turn()
    expect(started).toEqual([0, 1, 2, 3, 4])
    end(3)
    end(4)
    expect(await Promise.all(results)).toEqual([0, 1, 2, 3, 4])
  })

  it('never runs more at once, also when somebody comes just as a place is handed over', async () => {
    const pool = signingPool({ inPool: 2 })
    let running = 0
    let most = 0
    const one = async () => {
      running += 1
      most = Math.max(most, running)
      await turn()
      running -= 1
    }
    // Each result brings two more, in the same turn in which the next of the queue is woken.
    const many = async (depth: number): Promise<void> => {
      await pool.run(one)
      if (depth > 0) await Promise.all([many(depth - 1), many(depth - 1)])
    }
    await Promise.all([many(4), many(4), many(4)])
    expect(most).toBe(2)
  })

  it('lets nobody past those who wait', async () => {
    const pool = signingPool({ inPool: 1 })
    const { started, work, end } = gated()
    const first = pool.run(work(0)).then(() => pool.run(work(2)))
    const second = pool.run(work(1))
    end(0)
    await turn()
    expect(started).toEqual([0, 1])
    end(1)
    await second
    await turn()
    end(2)
    expect(await first).toBe(2)
  })

  it('refuses who would wait too long, and takes others again when there is room', async () => {
    const pool = signingPool({ inPool: 1, waiting: 2 })
    const { work, end } = gated()
    const taken = [0, 1, 2].map((n) => pool.run(work(n)))
    const overloaded = expect.objectContaining({ code: 'ERR_OVERLOADED', retryAfter: 1 })
    await expect(pool.run(work(3))).rejects.toThrow(overloaded)
    end(0)
    await turn()
    taken.push(pool.run(work(4)))
    await expect(pool.run(work(5))).rejects.toThrow(overloaded)
    for (const n of [1, 2, 4]) {
      await turn()
      end(n)
    }
    expect(await Promise.all(taken)).toEqual([0, 1, 2, 4])
  })

  it('gives a place free again whatever way the work ends', async () => {
    const pool = signingPool({ inPool: 1 })
    await expect(pool.run(() => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
    await expect(
      pool.run(() => {
        throw new Error('thrown')
      }),
    ).rejects.toThrow('thrown')
    const afterwards = await Promise.allSettled([
      pool.run(() => Promise.reject(new Error('failed'))),
      pool.run(() => Promise.resolve(1)),
    ])
    expect(afterwards.map((result) => result.status)).toEqual(['rejected', 'fulfilled'])
  })
})

const counting = (): Pool & { readonly runs: number } => {
  const inner = signingPool()
  let runs = 0
  return {
    get runs() {
      return runs
    },
    run(work) {
      runs += 1
      return inner.run(work)
    },
  }
}

describe('a signer', () => {
  it.each(algorithms.map((row) => [row.name, row.slow] as const))(
    'for %s signs in the pool: %s',
    async (name, slow) => {
      const pool = counting()
      const { privateKey } = testKey(name)
      const signer = signerOf(privateKey, algorithm(name), { chain: [], pool })
      const data = Buffer.from('data')
      const signature = signer.sign(data)
      expect(signature instanceof Promise).toBe(slow)
      expect(pool.runs).toBe(slow ? 1 : 0)
      const form = cryptoKey(signer.algorithm, signer.publicKey.key)
      expect(verifySignature(signer.algorithm, form, data, await signature)).toBe(true)
    },
  )

  it('T-17 of a slow algorithm leaves the event loop free', async () => {
    const signer = signerOf(testKey('ML-DSA-87').privateKey, algorithm('ML-DSA-87'), { chain: [], pool: signingPool() })
    let turns = 0
    let done = false
    const all = Promise.all(Array.from({ length: 30 }, () => signer.sign(Buffer.from('data')))).then(() => {
      done = true
    })
    while (!done) {
      await turn()
      turns += 1
    }
    await all
    expect(turns).toBeGreaterThan(10)
  })

  it('answers one that is refused with a rejection, never with an exception', async () => {
    const pool = signingPool({ inPool: 1, waiting: 0 })
    const signer = signerOf(testKey('ML-DSA-44').privateKey, algorithm('ML-DSA-44'), { chain: [], pool })
    const [first, second] = [signer.sign(Buffer.from('1')), signer.sign(Buffer.from('2'))]
    await expect(second).rejects.toThrow(expect.objectContaining({ code: 'ERR_OVERLOADED' }))
    expect(await first).toHaveLength(2420)
  })

  it.each(algorithms.map(({ name }) => name))('for %s shows nothing of its private key, wherever one looks', (name) => {
    const { privateKey } = testKey(name)
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    // The certificate as it comes out of a PEM file, beside the key, in the memory that small buffers share.
    const { certificate } = authority('CA')
    const shared = Buffer.allocUnsafe(certificate.length + 64)
    const secret = Buffer.from(pem.slice(40, 72))
    secret.copy(shared)
    shared.set(certificate, 64)
    const chain = [shared.subarray(64)]
    const signer = signerOf(privateKey, algorithm(name), { chain, pool: signingPool() })

    const jwk = privateKey.export({ format: 'jwk' })
    const members = ['d', 'priv', 'p', 'q', 'dp', 'dq', 'qi'] as const
    const texts = members.flatMap((member) => (jwk as Record<string, string>)[member] ?? [])
    expect(texts.length).toBeGreaterThan(0)
    const bytes = texts.map((text) => Buffer.from(text, 'base64url'))
    expect(privateKeysIn(signer)).toEqual([])
    expect(shows(signer, [...texts, ...bytes, secret])).toBe(false)
    expect(JSON.stringify(signer)).not.toContain(texts[0])
    expect(signer.chain.map((der) => Buffer.from(der))).toEqual([Buffer.from(certificate)])
  })

  it('would be caught showing it: the search finds a key that is there', () => {
    const { privateKey } = testKey('ES256')
    const d = String(privateKey.export({ format: 'jwk' })['d'])
    for (const leak of [
      { privateKey },
      new Map([[1, [privateKey]]]),
      {
        get key() {
          return privateKey
        },
      },
    ]) {
      expect(privateKeysIn(leak)).toEqual([privateKey])
    }
    expect(shows({ deep: { d } }, [d])).toBe(true)
    expect(shows([Uint8Array.from(Buffer.from(d)).subarray(2)], [Buffer.from(d)])).toBe(true)
  })
})
