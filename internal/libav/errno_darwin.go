package libav

const eagain = 35
