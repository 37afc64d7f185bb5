/**
 * The commands that a Redis gets. On a socket of its own: ioredis ends with a "Command queue state error" if commands of others arrive in one
 * packet with the answer to MONITOR.
 */
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'

/**
 * Calls `onCommand` with each command from now on, as MONITOR prints it: `1796044328.334 [0 127.0.0.1:53364] "info" "server"`; what scripts call
 * has `[0 lua]`. Only for servers without a password on the loopback.
 */
export async function monitorCommands(port: number, onCommand: (line: string) => void): Promise<Disposable> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  const lines = createInterface({ input: socket })
  socket.write('MONITOR\r\n')
  const [answer] = (await once(lines, 'line')) as [string]
  if (answer !== '+OK') throw new Error(`MONITOR is refused: ${answer}`)
  lines.on('line', onCommand)
  return {
    [Symbol.dispose]() {
      lines.close()
      socket.destroy()
    },
  }
}
