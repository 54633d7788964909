/** The variables a worker is started with. */
export const INDEX = 'DEFUSS_WORKER_INDEX'
/** Where the sockets between the processes are. */
export const FOLDER = 'SEAWALL_WORKER_FOLDER'
/** What the worker is called at the front. */
export const SLOT = 'SEAWALL_WORKER_SLOT'
/** The mode of a front that stays between client and worker. */
export const RELAY = 'SEAWALL_WORKER_RELAY'
/** Where workers of such a front tell of themselves. */
export const BOARDS = 'SEAWALL_WORKER_BOARDS'
