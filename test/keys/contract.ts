import { beforeAll, describe, expect, it } from 'vitest'
import { cryptoKey, verifySignature } from '../../src/core/algorithms.ts'
import type { KeyStore, Signer } from '../../src/core/keys.ts'
import { parseCertificate } from '../../src/wire/certificate.ts'
import { jwkThumbprint } from '../../src/wire/jwk.ts'
import { privateKeysIn } from '../support/contract.ts'

/** A key that a store is asked to have. */
export interface ContractKey {
  readonly name: string
  readonly algorithm: string
  readonly kid?: string
}

export interface KeyStoreSubject {
  /** Names of the algorithms that it can sign with. */
  readonly algorithms: readonly string[]
  /** A store with these keys, ready to sign. */
  open(keys: readonly ContractKey[]): Promise<KeyStore>
}

/** What every key store holds to, wherever its keys are. */
export function keyStoreContract(title: string, { algorithms, open }: KeyStoreSubject): void {
  const nameOf = (algorithm: string) => `key-${algorithm.toLowerCase()}`

  describe(`key store contract: ${title}`, () => {
    let store: KeyStore

    beforeAll(async () => {
      store = await open(algorithms.map((algorithm) => ({ name: nameOf(algorithm), algorithm })))
    })

    it('gives a signer by its exact name, and nothing for any other', () => {
      for (const algorithm of algorithms) expect(store.signer(nameOf(algorithm))?.algorithm.name).toBe(algorithm)
      for (const name of ['', 'none', 'KEY-ES256', '__proto__', 'constructor', `${nameOf('ES256')} `]) {
        expect(store.signer(name)).toBeUndefined()
      }
    })

    it('publishes every signer in use, each kid once', () => {
      const kids = store.all().map(({ kid }) => kid)
      for (const algorithm of algorithms) expect(kids).toContain(store.signer(nameOf(algorithm))?.kid)
      expect(new Set(kids).size).toBe(kids.length)
    })

    it('names a key by its thumbprint, or as configured', async () => {
      const [algorithm = ''] = algorithms
      const plain = must(await open([{ name: 'a', algorithm }]), 'a')
      expect(plain.kid).toBe(jwkThumbprint(plain.publicKey.jwk))
      expect(must(await open([{ name: 'a', algorithm, kid: 'mine' }]), 'a').kid).toBe('mine')
    })

    it.each(algorithms)('signs with %s what its public key verifies, and nothing else', async (algorithm) => {
      const signer = must(store, nameOf(algorithm))
      for (const data of [Buffer.alloc(0), Buffer.from('data'), Buffer.alloc(65_536, 7)]) {
        const before = Buffer.from(data)
        const signature = await signer.sign(data)
        expect(Buffer.compare(data, before)).toBe(0)
        expect(verifies(signer, data, signature)).toBe(true)
        expect(verifies(signer, Buffer.concat([data, Buffer.of(0)]), signature)).toBe(false)
        expect(signature).toHaveLength(signer.algorithm.signatureBytes ?? signature.length)
      }
    })

    it.each(algorithms)('keeps many signatures with %s apart', async (algorithm) => {
      const signer = must(store, nameOf(algorithm))
      const data = Array.from({ length: 12 }, (_, n) => Buffer.from(`message ${n}`))
      const signatures = await Promise.all(data.map((one) => signer.sign(one)))
      signatures.forEach((signature, n) => {
        expect(verifies(signer, data[n] ?? Buffer.alloc(0), signature)).toBe(true)
      })
    })

    it.each(algorithms)(
      'signs with %s what it was given, whatever becomes of the buffer meanwhile',
      async (algorithm) => {
        const signer = must(store, nameOf(algorithm))
        const data = Buffer.alloc(5)
        const pending = Array.from({ length: 8 }, (_, n) => {
          data.write(`data${n}`)
          return signer.sign(data)
        })
        data.write('other')
        for (const [n, signature] of pending.entries()) {
          expect(verifies(signer, Buffer.from(`data${n}`), await signature)).toBe(true)
        }
      },
    )

    it('has no way from a signer, or from the store, to a private key', () => {
      expect(privateKeysIn([store, store.all()])).toEqual([])
      for (const { publicKey } of store.all()) {
        expect(publicKey.key.type).toBe('public')
        for (const member of ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv']) {
          expect(publicKey.jwk).not.toHaveProperty(member)
        }
      }
    })

    it('lets nobody change a signer', () => {
      const signer = must(store, nameOf(algorithms[0] ?? ''))
      expect(Reflect.set(signer, 'kid', 'other')).toBe(false)
      expect(Reflect.set(signer, 'sign', () => new Uint8Array())).toBe(false)
      expect(Reflect.defineProperty(signer, 'more', { value: 1 })).toBe(false)
    })

    it('gives certificates only with the one of the key first', () => {
      for (const { chain, publicKey } of store.all()) {
        const [own] = chain
        if (own) expect(parseCertificate(own).publicKey.jkt).toBe(publicKey.jkt)
      }
    })
  })
}

function must(store: KeyStore, name: string): Signer {
  const signer = store.signer(name)
  if (!signer) throw new TypeError(`no key ${name}`)
  return signer
}

const verifies = ({ algorithm, publicKey }: Signer, data: Uint8Array, signature: Uint8Array): boolean =>
  verifySignature(algorithm, cryptoKey(algorithm, publicKey.key), data, signature)
