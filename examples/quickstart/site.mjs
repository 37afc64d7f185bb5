// Answers every request after a tenth of a second.
import { createServer } from 'node:http'

const page = `<!doctype html><title>site</title>${'<p>Taskmill quickstart</p>'.repeat(200)}`
const server = createServer((_request, response) => {
  setTimeout(() => response.setHeader('content-type', 'text/html').end(page), 100)
})
server.listen(8000)
process.on('SIGTERM', () => server.close(() => process.exit(0)))
