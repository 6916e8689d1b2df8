// The least that an answer costs: node:http reads a form, discards it, and writes an answer of the size of a token's.
import { createServer } from 'node:http'
import process from 'node:process'

const body = JSON.stringify({ access_token: 'a'.repeat(900), token_type: 'Bearer', expires_in: 300 })
const headers = { 'content-type': 'application/json', 'cache-control': 'no-store', 'content-length': body.length }
// Milliseconds, as in the gateway: a connection that is not needed for some seconds is still there afterwards.
const KEPT = 75_000
const server = createServer({ keepAliveTimeout: KEPT }, (request, response) => {
  request.on('data', () => {})
  request.on('end', () => response.writeHead(200, headers).end(body))
})
server.listen(Number(process.argv[2]), '127.0.0.1', () => process.stderr.write('listening\n'))
process.on('SIGTERM', () => process.exit(0))
