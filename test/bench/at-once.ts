/** Sends all of them, so many at the same time. */
export async function sendAll(requests: readonly (() => Promise<unknown>)[], atOnce = 16): Promise<void> {
  const left = requests.values()
  const send = async (): Promise<void> => {
    for (const request of left) await request()
  }
  await Promise.all(Array.from({ length: atOnce }, send))
}
