/** What the isolates know of one origin's breaker, kept where all of them find it. */
export class BreakerState {
  #storage

  constructor({ storage }) {
    this.#storage = storage
  }

  async fetch(request) {
    if (request.method === 'PUT') {
      await this.#storage.put('kept', await request.json())
      return new Response(null, { status: 204 })
    }
    return Response.json((await this.#storage.get('kept')) ?? null)
  }
}
