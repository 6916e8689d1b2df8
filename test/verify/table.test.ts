import { describe, expect, it } from 'vitest'
import { prepareTable, type RequestTable } from '../../src/verify/table.ts'
import { targetOf } from '../../src/verify/target.ts'

const find = (table: RequestTable, method: string, url: string) =>
  prepareTable(table, 'options.requests')(method, targetOf(url))
const rule = { scope: [] }
const wrong = (path: string) =>
  expect.objectContaining({ code: 'ERR_PROFILE_OPTION', detail: expect.objectContaining({ path }) })

describe('a table of requests', () => {
  const table = {
    'GET /': rule,
    'GET /users/me': rule,
    'GET /users/:id': rule,
    'GET /users/:id/files/:file': rule,
    'DELETE /users/:id': rule,
  }

  it.each([
    ['GET', '/', 'GET /', {}],
    ['GET', '/users/u-1', 'GET /users/:id', { id: 'u-1' }],
    ['GET', '/users/u-1?x=y', 'GET /users/:id', { id: 'u-1' }],
    ['DELETE', '/users/u-1', 'DELETE /users/:id', { id: 'u-1' }],
    ['GET', '/users/a%20b', 'GET /users/:id', { id: 'a b' }],
    ['GET', '/users/%6De', 'GET /users/me', {}],
    ['GET', '/users/u-1/files/f.txt', 'GET /users/:id/files/:file', { id: 'u-1', file: 'f.txt' }],
  ])('has a rule for %s %s: %s', (method, url, name, parameters) => {
    const match = find(table, method, url)
    expect(match?.rule.name).toBe(name)
    expect(Object.fromEntries(match?.parameters ?? [])).toEqual(parameters)
  })

  it('has text before a parameter, in whatever order they are listed', () => {
    for (const names of [
      ['GET /users/me', 'GET /users/:id'],
      ['GET /users/:id', 'GET /users/me'],
    ]) {
      const listed = Object.fromEntries(names.map((name) => [name, rule]))
      expect(find(listed, 'GET', '/users/me')?.rule.name).toBe('GET /users/me')
      expect(find(listed, 'GET', '/users/you')?.rule.name).toBe('GET /users/:id')
    }
  })

  it.each([
    ['another method', 'POST', '/users/u-1'],
    ['a method in another case', 'get', '/users/u-1'],
    ['HEAD, which some frameworks answer by themselves', 'HEAD', '/users/u-1'],
    ['another case', 'GET', '/Users/u-1'],
    ['a slash at the end', 'GET', '/users/u-1/'],
    ['a part of a path', 'GET', '/users'],
    ['more than a path', 'GET', '/users/u-1/x'],
    ['two slashes', 'GET', '/users//u-1'],
    ['a slash before it', 'GET', '//users/u-1'],
    ['dot segments', 'GET', '/users/x/../u-1'],
    ['encoded dot segments', 'GET', '/users/%2e%2E'],
    ['an encoded slash', 'GET', '/users/u-1%2Ffiles'],
    ['an encoded backslash', 'GET', '/users/u-1%5cx'],
    ['an encoded NUL', 'GET', '/users/u-1%00'],
    ['a backslash', 'GET', '/users\\u-1'],
    ['a fragment', 'GET', '/users/u-1#x'],
    ['a space', 'GET', '/users/u 1'],
    ['malformed percent-encoding', 'GET', '/users/%'],
    ['malformed UTF-8', 'GET', '/users/%C3'],
    ['a whole URL', 'GET', 'https://x.example/users/u-1'],
    ['no path', 'OPTIONS', '*'],
    ['nothing', 'GET', ''],
  ])('has none for %s', (_, method, url) => {
    expect(find(table, method, url)).toBeUndefined()
  })

  it.each([
    ['no rule', {}, 'options.requests'],
    ['no method', { '/x': rule }, 'options.requests["/x"]'],
    ['a method in lower case', { 'get /x': rule }, 'options.requests["get /x"]'],
    ['no path', { GET: rule }, 'options.requests["GET"]'],
    ['a query', { 'GET /x?y': rule }, 'options.requests["GET /x?y"]'],
    ['an empty segment', { 'GET /x//y': rule }, 'options.requests["GET /x//y"]'],
    ['a slash at the end', { 'GET /x/': rule }, 'options.requests["GET /x/"]'],
    ['a dot segment', { 'GET /../x': rule }, 'options.requests["GET /../x"]'],
    ['a parameter without a name', { 'GET /:': rule }, 'options.requests["GET /:"]'],
    ['a parameter that is a part', { 'GET /:a.b': rule }, 'options.requests["GET /:a.b"]'],
    ['a parameter twice', { 'GET /:a/:a': rule }, 'options.requests["GET /:a/:a"]'],
    ['no scope', { 'GET /x': {} }, 'options.requests["GET /x"].scope'],
    ['two scopes in one text', { 'GET /x': { scope: 'a b' } }, 'options.requests["GET /x"].scope'],
    ['a misspelt member', { 'GET /x': { scope: [], tcxt: {} } }, 'options.requests["GET /x"].tcxt'],
    ['a list for tctx', { 'GET /x': { scope: [], tctx: [] } }, 'options.requests["GET /x"].tctx'],
    ['two parts', { 'GET /x': part({ query: 'a', body: 'a' }) }, 'options.requests["GET /x"].tctx.a'],
    ['no part', { 'GET /x': part({ optional: true }) }, 'options.requests["GET /x"].tctx.a'],
    [
      'a misspelt option',
      { 'GET /x': part({ query: 'a', optinal: true }) },
      'options.requests["GET /x"].tctx.a.optinal',
    ],
    ['text for true', { 'GET /x': part({ query: 'a', optional: 'no' }) }, 'options.requests["GET /x"].tctx.a.optional'],
    [
      'a parameter that is not in the path',
      { 'GET /:b': part({ path: 'a' }) },
      'options.requests["GET /:b"].tctx.a.path',
    ],
    ['a query without a name', { 'GET /x': part({ query: '' }) }, 'options.requests["GET /x"].tctx.a.query'],
    ['no header field', { 'GET /x': part({ header: 'a b' }) }, 'options.requests["GET /x"].tctx.a.header'],
    ['no JSON Pointer', { 'GET /x': part({ body: '/a~' }) }, 'options.requests["GET /x"].tctx.a.body'],
    [
      'no member of tctx',
      { 'GET /x': { scope: [], tctx: { '': { query: 'a' } } } },
      'options.requests["GET /x"].tctx.',
    ],
  ])('cannot be made with %s', (_, listed, path) => {
    expect(() => prepareTable(listed as unknown as RequestTable, 'options.requests')).toThrow(wrong(path))
  })

  it.each([
    ['GET /a/:x', 'GET /a/:y'],
    ['GET /a/:x/c', 'GET /a/b/:y'],
    ['GET /:x/b', 'GET /a/:y'],
  ])('cannot be made with two rules for one request: %s, %s', (one, two) => {
    expect(() => prepareTable({ [one]: rule, [two]: rule }, 'options.requests')).toThrow(wrong('options.requests'))
    expect(() => prepareTable({ [one]: rule, [two.replace('GET', 'PUT')]: rule }, 'options.requests')).not.toThrow()
  })
})

function part(options: object) {
  return { scope: [], tctx: { a: options } }
}
