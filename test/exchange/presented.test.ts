import { expect, it } from 'vitest'
import type { Exchange } from '../../src/core/exchange.ts'
import type { Draft } from '../../src/core/token.ts'
import { map } from '../../src/core/value.ts'
import { assertCarriesNone } from '../../src/exchange/presented.ts'
import { profile, request } from '../support/fakes.ts'

// Of certificates, which have line breaks of their own, nothing is as long as when it was presented once these are gone.
const lines = Array.from({ length: 12 }, (_, at) => String.fromCharCode(65 + at).repeat(64))
const presented = `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`

const look = (inside: string) => {
  const exchange = { request: request({ subject_token: presented, request_details: map() }), profile: profile() }
  assertCarriesNone(
    { claims: map([['note', inside]]), embedded: [] } as unknown as Draft,
    exchange as unknown as Exchange,
  )
}

it.each<[string, (text: string) => string]>([
  ['as it was presented', (text) => text],
  ['in one line', (text) => text.replaceAll('\n', '')],
  ['without any space', (text) => text.replaceAll(/\s/g, '')],
  ['in other lines', (text) => text.replaceAll('\n', '').replace(/(.{70})/g, '$1\r\n')],
])('a presented token in several lines is found %s', (_, fold) => {
  expect(() => look(fold(presented))).toThrow(expect.objectContaining({ code: 'ERR_PROFILE_WIDER' }))
  expect(() => look(fold(presented).slice(1, -40))).not.toThrow()
})
