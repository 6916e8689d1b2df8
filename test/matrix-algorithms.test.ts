import { X509Certificate } from 'node:crypto'
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js'
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose'
import { describe, expect, it } from 'vitest'
import { algorithmNames } from '../src/core/algorithms.ts'
import { map } from '../src/core/value.ts'
import { parseCertificate } from '../src/wire/certificate.ts'
import { parsePem } from '../src/wire/pem.ts'
import { newMatrix, pairs } from './support/matrix.ts'
import { NOW, WORKLOAD } from './support/world.ts'

const NOBLE = { 'ML-DSA-44': ml_dsa44, 'ML-DSA-65': ml_dsa65, 'ML-DSA-87': ml_dsa87 }

describe.each(algorithmNames)('every format into every other, signed and issued with %s', (algorithm) => {
  it('reads, writes, and is verified by software that is not ours', async () => {
    const matrix = await newMatrix(algorithm)
    try {
      for (const [from, to] of pairs) {
        const result = await matrix.exchange(from, to, await matrix.mint(from, map([['email', 'a@b.example']])))
        const token = await matrix.read(to, result)
        expect(token.claims).toMatchObject({ sub: WORKLOAD, email: 'a@b.example' })
        expect(token.provenance.algorithm).toBe(algorithm)
        if (to === 'jwt') await byJose(matrix, result.access_token)
        if (to === 'x509') byNode(result.access_token, matrix.authority, algorithm)
      }
    } finally {
      await matrix.close()
    }
  })
})

async function byJose(matrix: Awaited<ReturnType<typeof newMatrix>>, token: string): Promise<void> {
  const { body } = await matrix.gateway.http.inject({ url: '/jwks' })
  const keys = createLocalJWKSet(JSON.parse(body) as JSONWebKeySet)
  const { payload } = await jwtVerify(token, keys, {
    issuer: 'https://matrix.example',
    currentDate: new Date(NOW * 1000),
  })
  expect(payload.sub).toBe(WORKLOAD)
}

/** Node's own parser and signature check; for ML-DSA a second implementation of the algorithm as well. */
function byNode(certificate: string, authority: string, algorithm: string): void {
  const ca = new X509Certificate(authority)
  expect(new X509Certificate(certificate).verify(ca.publicKey)).toBe(true)
  const noble = NOBLE[algorithm as keyof typeof NOBLE]
  if (!noble) return
  const { toBeSigned, signature } = parseCertificate(parsePem(certificate)[0]?.der ?? new Uint8Array())
  const { pub } = ca.publicKey.export({ format: 'jwk' }) as { pub?: string }
  expect(noble.verify(signature, toBeSigned, Buffer.from(pub ?? '', 'base64url'))).toBe(true)
}
