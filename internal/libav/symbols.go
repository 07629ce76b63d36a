package libav

// symbols holds the addresses of FFmpeg's functions.
type symbols struct {
	versionInfo, strerror, logSetLevel, mallocz, free uintptr

	frameAlloc, frameFree, frameUnref, frameGetBuffer, frameGetSideData        uintptr
	bufferCreate, bufferUnref, bufferPoolInit, bufferPoolGet, bufferPoolUninit uintptr

	imageFillLinesizes, imageFillPlaneSizes, imageCopy uintptr

	optSet, optSetInt, optFind, dictSet, dictGet, dictFree uintptr

	getPixFmtName, getPixFmt uintptr
	channelLayoutDefault     uintptr

	codecVersion, codecGetName, descriptorByName, profileName, findDecoder uintptr
	findBestPixFmt                                                         uintptr

	allocContext, freeContext, parametersAlloc, parametersFree, parametersToContext uintptr
	openCodec, sendPacket, receiveFrame, flushBuffers                               uintptr
	defaultGetBuffer2, alignDimensions2                                             uintptr

	packetAlloc, packetFree, packetUnref, packetSideDataGet uintptr

	formatAlloc, openInput, findStreamInfo, closeInput, readFrame, seekFrame uintptr
	ioSize, guessSAR, guessFrameRate, streamGetSideData, findProtocol        uintptr

	swrAlloc, swrInit, swrFree, swrConvert, swrDelay uintptr

	swsGet, swsFree, swsScale, swsSetColorspace, swsCoefficients uintptr
}

func (s *symbols) avutil() map[string]*uintptr {
	return map[string]*uintptr{
		"av_version_info": &s.versionInfo, "av_strerror": &s.strerror, "av_log_set_level": &s.logSetLevel,
		"av_mallocz": &s.mallocz, "av_free": &s.free,
		"av_frame_alloc": &s.frameAlloc, "av_frame_free": &s.frameFree, "av_frame_unref": &s.frameUnref,
		"av_frame_get_buffer": &s.frameGetBuffer, "av_frame_get_side_data": &s.frameGetSideData,
		"av_buffer_create": &s.bufferCreate, "av_buffer_pool_init2": &s.bufferPoolInit,
		"av_buffer_unref": &s.bufferUnref, "av_buffer_pool_get": &s.bufferPoolGet, "av_buffer_pool_uninit": &s.bufferPoolUninit,
		"av_image_fill_linesizes": &s.imageFillLinesizes, "av_image_fill_plane_sizes": &s.imageFillPlaneSizes,
		"av_image_copy": &s.imageCopy,
		"av_opt_set":    &s.optSet, "av_opt_set_int": &s.optSetInt, "av_opt_find": &s.optFind,
		"av_dict_set": &s.dictSet, "av_dict_get": &s.dictGet, "av_dict_free": &s.dictFree,
		"av_get_pix_fmt_name": &s.getPixFmtName, "av_get_pix_fmt": &s.getPixFmt,
		"av_channel_layout_default": &s.channelLayoutDefault,
	}
}

func (s *symbols) avcodec() map[string]*uintptr {
	return map[string]*uintptr{
		"avcodec_version": &s.codecVersion, "avcodec_get_name": &s.codecGetName,
		"avcodec_descriptor_get_by_name": &s.descriptorByName, "avcodec_profile_name": &s.profileName,
		"avcodec_find_decoder": &s.findDecoder, "avcodec_find_best_pix_fmt_of_list": &s.findBestPixFmt,
		"avcodec_alloc_context3": &s.allocContext, "avcodec_free_context": &s.freeContext,
		"avcodec_parameters_alloc": &s.parametersAlloc, "avcodec_parameters_free": &s.parametersFree,
		"avcodec_parameters_to_context": &s.parametersToContext,
		"avcodec_open2":                 &s.openCodec, "avcodec_send_packet": &s.sendPacket,
		"avcodec_receive_frame": &s.receiveFrame, "avcodec_flush_buffers": &s.flushBuffers,
		"avcodec_default_get_buffer2": &s.defaultGetBuffer2, "avcodec_align_dimensions2": &s.alignDimensions2,
		"av_packet_alloc": &s.packetAlloc, "av_packet_free": &s.packetFree, "av_packet_unref": &s.packetUnref,
	}
}

func (s *symbols) avformat() map[string]*uintptr {
	return map[string]*uintptr{
		"avformat_alloc_context": &s.formatAlloc, "avformat_open_input": &s.openInput,
		"avformat_find_stream_info": &s.findStreamInfo, "avformat_close_input": &s.closeInput,
		"av_read_frame": &s.readFrame, "av_seek_frame": &s.seekFrame, "avio_size": &s.ioSize, "avio_find_protocol_name": &s.findProtocol,
		"av_guess_sample_aspect_ratio": &s.guessSAR, "av_guess_frame_rate": &s.guessFrameRate,
	}
}

func (s *symbols) swresample() map[string]*uintptr {
	return map[string]*uintptr{
		"swr_alloc_set_opts2": &s.swrAlloc, "swr_init": &s.swrInit, "swr_free": &s.swrFree,
		"swr_convert": &s.swrConvert, "swr_get_delay": &s.swrDelay,
	}
}

func (s *symbols) swscale() map[string]*uintptr {
	return map[string]*uintptr{
		"sws_getContext": &s.swsGet, "sws_freeContext": &s.swsFree, "sws_scale": &s.swsScale,
		"sws_setColorspaceDetails": &s.swsSetColorspace, "sws_getCoefficients": &s.swsCoefficients,
	}
}
