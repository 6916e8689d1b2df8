import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { stages } from '../../src/stages/index.ts'

const ajv = new Ajv2020({ strict: true, allErrors: true, allowUnionTypes: true })

const validator = (name: string) => {
  const stage = stages.find((candidate) => candidate.name === name)
  if (stage === undefined) throw new Error(name)
  return ajv.compile(stage.schema)
}

describe('stages', () => {
  it('RR-01 to RR-08: there is one for each kind of change, meaning before writing', () => {
    expect(stages.map(({ name, phase }) => `${name}: ${phase}`)).toEqual([
      'subject: meaning',
      'context: meaning',
      'embedding: meaning',
      'validity: meaning',
      'sender_constraint: meaning',
      'format: writing',
      'encoding: writing',
      'crypto: writing',
    ])
  })

  it.each(stages.map(({ name }) => name))('%s describes itself and every option', (name) => {
    const stage = stages.find((candidate) => candidate.name === name)
    expect(stage?.summary).toMatch(/\.$/)
    expect(undescribed(stage?.schema, name)).toEqual([])
  })

  it.each<[string, object]>([
    ['subject', { fixed: 'x' }],
    ['subject', { template: 'x:{subject.email}', actor: 'client' }],
    ['subject', { spiffe: { trust_domain: 'example.org', path: '/a' } }],
    ['subject', { lookup: { file: 'a.json', claim: 'email', default: 'x' } }],
    ['subject', { pairwise: { secret: 's', per: 'sector', sector: 'x', prefix: 'pw_' } }],
    ['context', { keep: '*', drop: ['a'], rename: { a: 'b' }, copy: { a: 'now' }, set: { a: { cel: 'now' }, b: 1 } }],
    ['context', { require: ['a', { claim: 'b', type: 'list' }], types: { a: 'bytes' } }],
    ['context', { conditions: ['true', { expression: 'true', description: 'x' }] }],
    ['embedding', { act: { from: 'keep' }, token: { what: 'digest', place: 'header', name: 'x' } }],
    ['embedding', { unwrap: { claim: 'x', accept: { format: 'jwt', issuers: ['self'], audience: 'any' } } }],
    ['validity', { lifetime: 1, not_before: 'now', audience: { from: 'subject' }, max_audiences: 1 }],
    ['validity', { scope: { allow: [], default: 'subject', map: { a: 'b', c: ['d', 'e'] }, strict: true } }],
    ['sender_constraint', { mode: 'bind', method: ['dpop', 'mtls', 'pkcs10'], require: true }],
    ['sender_constraint', { danger_drop_confirmation: true }],
    ['format', { to: 'cwt', kind: 'x', token_type: 'urn:x' }],
    ['encoding', { anything: 1 }],
    ['crypto', { key: 'edge', algorithm: 'EdDSA', kid: false, header: { x: 1 } }],
  ])('%s takes %j', (name, options) => {
    const validate = validator(name)
    expect(validate(options), JSON.stringify(validate.errors)).toBe(true)
  })

  it.each<[string, object]>([
    ['subject', {}],
    ['subject', { id: 'x' }],
    ['subject', { fixed: '' }],
    ['subject', { spiffe: { trust_domain: 'example.org', path: 'a' } }],
    ['subject', { pairwise: { secret: 's', per: 'user' } }],
    ['context', { keep: 'all' }],
    ['context', { keep: [] }],
    ['context', { conditions: [] }],
    ['context', { types: { a: 'date' } }],
    ['context', { require: [{ claim: 'a', kind: 'list' }] }],
    ['embedding', { act: { from: 'request' } }],
    ['embedding', { token: { what: 'token', danger_embed_bearer: false } }],
    ['embedding', { unwrap: { claim: 'x' } }],
    ['validity', { lifetime: 0 }],
    ['validity', { lifetime: 1.5 }],
    ['validity', { lifetme: 300 }],
    ['validity', { danger_outlive_subject: false }],
    ['validity', { scope: { allow: ['a b'] } }],
    ['validity', { scope: { map: { 'a b': 'c' } } }],
    ['sender_constraint', { method: [] }],
    ['format', {}],
    ['encoding', {}],
    ['crypto', { algorithm: 'ES256' }],
    ['crypto', { key: 'edge', algorithm: 'HS256' }],
  ])('S-04: %s refuses %j', (name, options) => {
    expect(validator(name)(options)).toBe(false)
  })
})

/** Paths of the options in a schema that have no description. */
function undescribed(schema: unknown, path: string): readonly string[] {
  if (typeof schema !== 'object' || schema === null) return []
  if (Array.isArray(schema)) return schema.flatMap((part) => undescribed(part, path))
  return Object.entries(schema).flatMap(([keyword, part]: [string, unknown]) => {
    if (keyword !== 'properties') return undescribed(part, path)
    return Object.entries(part as Record<string, { description?: string }>).flatMap(([name, option]) => [
      ...(option.description ? [] : [`${path}.${name}`]),
      ...undescribed(option, `${path}.${name}`),
    ])
  })
}
